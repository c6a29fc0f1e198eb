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

// Enough independent sums to hide the latency of an addition on any core that we know.
constexpr size_t kSums = 8;

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
  V sums[kSums];
  for (V& sum : sums) sum = hn::Zero(d);
  constexpr size_t kPerStream = kSums / kStreams;
  for (size_t pass = 0; pass < passes; ++pass) {
    for (size_t i = 0; i < length; i += kPerStream * lanes) {
#pragma GCC unroll 8
      for (size_t s = 0; s < kStreams; ++s) {
#pragma GCC unroll 8
        for (size_t j = 0; j < kPerStream; ++j) {
          V& sum = sums[s * kPerStream + j];
          sum = hn::Add(sum, hn::Load(d, from + s * length + i + j * lanes));
        }
      }
    }
  }
  V total = hn::Zero(d);
  for (const V& sum : sums) total = hn::Add(total, sum);
  return hn::GetLane(hn::SumOfLanes(d, total));
}

float read_streams(const float* from, size_t count, int streams, size_t passes) {
  if (streams >= 8) return read<8>(from, count, passes);
  return streams >= 4 ? read<4>(from, count, passes) : read<1>(from, count, passes);
}

void write(float* HWY_RESTRICT to, size_t count, bool around) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const V value = hn::Set(d, 1.0f);
  if (around) {
    for (size_t i = 0; i < count; i += 4 * lanes) {
      for (size_t j = 0; j < 4; ++j) hn::Stream(value, d, to + i + j * lanes);
    }
    hwy::FlushStream();
    return;
  }
  for (size_t i = 0; i < count; i += 4 * lanes) {
    for (size_t j = 0; j < 4; ++j) hn::Store(value, d, to + i + j * lanes);
  }
}

void copy(const float* HWY_RESTRICT from, float* HWY_RESTRICT to, size_t count, size_t passes) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  for (size_t pass = 0; pass < passes; ++pass) {
    for (size_t i = 0; i < count; i += 4 * lanes) {
      for (size_t j = 0; j < 4; ++j) {
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
HWY_EXPORT(write);
HWY_EXPORT(copy);
HWY_EXPORT(multiply_add);
HWY_EXPORT(multiply_add_operations);

float probe_read(const float* from, size_t count, int streams, size_t passes) {
  return HWY_DYNAMIC_DISPATCH(read_streams)(from, count, streams, passes);
}

void probe_write(float* to, size_t count, bool around) {
  HWY_DYNAMIC_DISPATCH(write)(to, count, around);
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
