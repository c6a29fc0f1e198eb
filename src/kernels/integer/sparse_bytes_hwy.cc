#include "kernels/integer/sparse_bytes.h"

#include <cstring>

#include "kernels/integer/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/integer/sparse_bytes_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/integer/dot-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<int32_t, 16>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());

// The weights of four inputs, as a vector of words wants them.
struct FourWeights {
#if HWY_TARGET == HWY_AVX3_DL
  static constexpr int kMostVectors = 8;  // of positions at once
  V word;
  HWY_INLINE explicit FourWeights(uint32_t four) : word(hn::Set(D(), static_cast<int32_t>(four))) {}
  HWY_INLINE V add(V sum, V bytes) const {
    return V{add_dot_products(sum.raw, bytes.raw, word.raw)};
  }
#elif HWY_TARGET == HWY_AVX2
  // Products of 16-bit integers, the even bytes and the odd ones: those of 8 bits saturate.
  static constexpr int kMostVectors = 4;
  __m256i even, odd;
  HWY_INLINE explicit FourWeights(uint32_t four) {
    const __m256i word = _mm256_set1_epi32(static_cast<int>(four));
    even = _mm256_srai_epi16(_mm256_slli_epi16(word, 8), 8);
    odd = _mm256_srai_epi16(word, 8);
  }
  HWY_INLINE V add(V sum, V bytes) const {
    const __m256i low = _mm256_and_si256(bytes.raw, _mm256_set1_epi16(0x00ff));
    const __m256i high = _mm256_srli_epi16(bytes.raw, 8);
    const __m256i products =
        _mm256_add_epi32(_mm256_madd_epi16(low, even), _mm256_madd_epi16(high, odd));
    return V{_mm256_add_epi32(sum.raw, products)};
  }
#else
  static constexpr int kMostVectors = 4;
  V weight[4];
  HWY_INLINE explicit FourWeights(uint32_t four) {
    for (unsigned i = 0; i < 4; ++i) {
      weight[i] = hn::Set(D(), static_cast<int8_t>(four >> (8 * i) & 0xff));
    }
  }
  HWY_INLINE V add(V sum, V bytes) const {
    const D d;
    const V low = hn::Set(d, 0xff);
    sum = hn::Add(sum, hn::Mul(hn::And(bytes, low), weight[0]));
    sum = hn::Add(sum, hn::Mul(hn::And(hn::ShiftRight<8>(bytes), low), weight[1]));
    sum = hn::Add(sum, hn::Mul(hn::And(hn::ShiftRight<16>(bytes), low), weight[2]));
    return hn::Add(sum, hn::Mul(hn::And(hn::ShiftRight<24>(bytes), low), weight[3]));
  }
#endif
};

// Few vectors leave sums waiting for each other: weights then take turns on two sets.
template <int kVectors>
constexpr int kSets = kVectors <= 4 ? 2 : 1;

template <int kVectors>
HWY_INLINE void add_four(const SparseBytes& t, const uint32_t* x, size_t i, V* acc) {
  const FourWeights weights(t.weights[i]);
  const auto* const from = reinterpret_cast<const int32_t*>(x + t.offsets[i]);
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    acc[v] = weights.add(acc[v], hn::LoadU(D(), from + static_cast<size_t>(v) * kLanes));
  }
}

template <int kVectors>
HWY_NOINLINE void sum_outputs(const SparseBytes& t, size_t first) {
  const D d;
  constexpr int kChains = kSets<kVectors>;
  for (size_t o = 0; o < t.outputs; ++o) {
    int32_t* const sums = t.sums + static_cast<ptrdiff_t>(o) * t.step + first;
    V acc[kChains][kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      acc[0][v] = t.add ? hn::LoadU(d, sums + static_cast<size_t>(v) * kLanes) : hn::Zero(d);
      if constexpr (kChains > 1) acc[1][v] = hn::Zero(d);
    }
    size_t i = t.begins[o];
    const size_t end = t.begins[o + 1];
    for (; i + kChains <= end; i += kChains) {
#pragma GCC unroll 2
      for (int s = 0; s < kChains; ++s) {
        add_four<kVectors>(t, t.x + first, i + static_cast<size_t>(s), acc[s]);
      }
    }
    for (; i < end; ++i) add_four<kVectors>(t, t.x + first, i, acc[0]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      V sum = acc[0][v];
      if constexpr (kChains > 1) sum = hn::Add(sum, acc[1][v]);
      hn::StoreU(sum, d, sums + static_cast<size_t>(v) * kLanes);
    }
  }
}

template <int kVectors>
HWY_INLINE void sum_vectors(const SparseBytes& t, size_t vectors, size_t first) {
  if (vectors == static_cast<size_t>(kVectors)) return sum_outputs<kVectors>(t, first);
  if constexpr (kVectors > 1) sum_vectors<kVectors - 1>(t, vectors, first);
}

void sums(const SparseBytes& t) {
  constexpr size_t kMost = FourWeights::kMostVectors;
  const size_t vectors = (t.positions + kLanes - 1) / kLanes;
  for (size_t v = 0; v < vectors; v += kMost) {
    sum_vectors<static_cast<int>(kMost)>(t, HWY_MIN(vectors - v, kMost), v * kLanes);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(sums);

void sparse_byte_sums(const SparseBytes& tile) { HWY_DYNAMIC_DISPATCH(sums)(tile); }

}  // namespace edgewright
#endif
