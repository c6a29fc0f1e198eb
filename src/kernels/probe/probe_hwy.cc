#include <utility>

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/probe/probe_hwy.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/probe/probe_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

// Vectors in one round of a loop that moves memory. Half of the first cache is then at most some
// thirty rounds: more than branch predictors learn to count would cost a miss in every pass.
constexpr size_t kMoved = 16;

constexpr size_t kChains = 16;

// Tells the compiler that a register changes, so that it keeps every operation.
template <class Vec>
HWY_INLINE void keep(Vec& value) {
#if HWY_COMPILER_GCC || HWY_COMPILER_CLANG
#if HWY_ARCH_X86
  asm volatile("" : "+v"(value.raw));
#else
  asm volatile("" : "+w"(value.raw));
#endif
#endif
}

template <size_t kStreams>
float read(const float* HWY_RESTRICT from, size_t count, size_t passes) {
  const D d;
  const size_t lanes = hn::Lanes(d), length = count / kStreams;
  constexpr size_t kPerStream = kMoved / kStreams;
  V value = hn::Zero(d);
  for (size_t pass = 0; pass < passes; ++pass) {
    for (size_t i = 0; i < length; i += kPerStream * lanes) {
#pragma GCC unroll 16
      for (size_t s = 0; s < kStreams; ++s) {
#pragma GCC unroll 16
        for (size_t j = 0; j < kPerStream; ++j) {
          value = hn::Load(d, from + s * length + i + j * lanes);
          keep(value);
        }
      }
    }
  }
  return hn::GetLane(value);
}

float read_streams(const float* from, size_t count, int streams, size_t passes) {
  if (streams >= 8) return read<8>(from, count, passes);
  return streams >= 4 ? read<4>(from, count, passes) : read<1>(from, count, passes);
}

template <bool kAround>
void write(float* HWY_RESTRICT to, size_t count, size_t passes) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  V value = hn::Set(d, 1.0f);
  for (size_t pass = 0; pass < passes; ++pass) {
    // The compiler knows nothing of the value, or it would call memset.
    keep(value);
    for (size_t i = 0; i < count; i += kMoved * lanes) {
#pragma GCC unroll 16
      for (size_t j = 0; j < kMoved; ++j) {
        if constexpr (kAround) {
          hn::Stream(value, d, to + i + j * lanes);
        } else {
          hn::Store(value, d, to + i + j * lanes);
        }
      }
    }
    // Writing the same again is writing, too.
    asm volatile("" ::: "memory");
  }
  if constexpr (kAround) hwy::FlushStream();
}

void write_either(float* to, size_t count, bool around, size_t passes) {
  around ? write<true>(to, count, passes) : write<false>(to, count, passes);
}

void copy(const float* HWY_RESTRICT from, float* HWY_RESTRICT to, size_t count, size_t passes) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  for (size_t pass = 0; pass < passes; ++pass) {
    for (size_t i = 0; i < count; i += kMoved * lanes) {
#pragma GCC unroll 16
      for (size_t j = 0; j < kMoved; ++j) {
        // Through a register: the compiler would call memcpy, which writes past the caches.
        V value = hn::Load(d, from + i + j * lanes);
        keep(value);
        hn::Store(value, d, to + i + j * lanes);
      }
    }
  }
}

// Chains of multiply-adds: more than the latency times the units of any core that we know. Chains
// are named by constants, because a loop over them would keep them in memory.
template <size_t... c>
void run_chains(size_t rounds, std::index_sequence<c...> /*chains*/) {
  const D d;
  const V factor = hn::Set(d, 0.999f), term = hn::Set(d, 0.001f);
  V chains[] = {(static_cast<void>(c), hn::Set(d, 1.0f))...};
  for (size_t i = 0; i < rounds; ++i) {
    ((chains[c] = hn::MulAdd(chains[c], factor, term), keep(chains[c])), ...);
  }
}

void multiply_add(size_t rounds) { run_chains(rounds, std::make_index_sequence<kChains>()); }

double multiply_add_operations() { return 2.0 * kChains * static_cast<double>(hn::Lanes(D())); }

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(read_streams);
HWY_EXPORT(write_either);
HWY_EXPORT(copy);
HWY_EXPORT(multiply_add);
HWY_EXPORT(multiply_add_operations);

float probe_read(const float* from, size_t count, int streams, size_t passes) {
  return HWY_DYNAMIC_DISPATCH(read_streams)(from, count, streams, passes);
}

void probe_write(float* to, size_t count, bool around, size_t passes) {
  HWY_DYNAMIC_DISPATCH(write_either)(to, count, around, passes);
}

void probe_copy(const float* from, float* to, size_t count, size_t passes) {
  HWY_DYNAMIC_DISPATCH(copy)(from, to, count, passes);
}

std::vector<ProbeArithmetic> probe_arithmetic() {
  const double operations = HWY_DYNAMIC_DISPATCH(multiply_add_operations)();
  std::vector<ProbeArithmetic> rows = {{"float32", "vector", operations, [](size_t rounds) {
                                          HWY_DYNAMIC_DISPATCH(multiply_add)(rounds);
                                        }}};
  add_dot_product_arithmetic(rows);
  return rows;
}

}  // namespace edgewright
#endif  // HWY_ONCE
