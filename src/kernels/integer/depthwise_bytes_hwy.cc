#include "kernels/integer/depthwise_bytes.h"

#include <cstring>

#include "kernels/integer/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/integer/depthwise_bytes_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/integer/dot-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3_DL

HWY_INLINE __m128i load_tap(const uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

// Byte c * 4 + t comes from tap t, channel c: what a dot product of four taps wants.
HWY_INLINE __m512i interleaving() {
  alignas(64) uint8_t order[64];
  for (int i = 0; i < 64; ++i) order[i] = static_cast<uint8_t>(i % 4 * 16 + i / 4);
  return _mm512_load_si512(order);
}

template <int kPositions>
HWY_INLINE void sum_positions(const DepthwiseBytes& t, const uint8_t* in, __m512i order,
                              __m512i flip, int32_t* sums) {
  __m512i acc[kPositions];
#pragma GCC unroll 4
  for (int p = 0; p < kPositions; ++p) acc[p] = _mm512_setzero_si512();
  const int8_t* w = t.w;
  for (size_t y = 0; y < t.rows; ++y) {
    const uint8_t* taps = in + static_cast<ptrdiff_t>(y) * t.row_step;
    for (size_t g = 0; g < t.groups; ++g, taps += 4 * t.tap_step, w += 64) {
      const __m512i weights = _mm512_loadu_si512(w);
#pragma GCC unroll 4
      for (int p = 0; p < kPositions; ++p) {
        const uint8_t* at = taps + p * t.step;
        __m512i four = _mm512_castsi128_si512(load_tap(at));
        four = _mm512_inserti32x4(four, load_tap(at + t.tap_step), 1);
        four = _mm512_inserti32x4(four, load_tap(at + 2 * t.tap_step), 2);
        four = _mm512_inserti32x4(four, load_tap(at + 3 * t.tap_step), 3);
        four = _mm512_permutexvar_epi8(order, _mm512_xor_si512(four, flip));
        acc[p] = add_dot_products(acc[p], four, weights);
      }
    }
  }
#pragma GCC unroll 4
  for (int p = 0; p < kPositions; ++p) _mm512_storeu_si512(sums + p * 16, acc[p]);
}

void sum(const DepthwiseBytes& t, size_t count, int32_t* sums) {
  const __m512i order = interleaving();
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(t.is_signed ? 0x80 : 0));
  const uint8_t* in = t.in;
  size_t i = 0;
  for (; i + 4 <= count; i += 4, in += 4 * t.step) {
    sum_positions<4>(t, in, order, flip, sums + i * 16);
  }
  for (; i < count; ++i, in += t.step) sum_positions<1>(t, in, order, flip, sums + i * 16);
}

#else

void sum(const DepthwiseBytes& t, size_t count, int32_t* sums) {
  const int32_t flip = t.is_signed ? 0x80 : 0;
  for (size_t i = 0; i < count; ++i, sums += 16) {
    int32_t acc[16] = {};
    const int8_t* w = t.w;
    for (size_t y = 0; y < t.rows; ++y) {
      const uint8_t* tap =
          t.in + static_cast<ptrdiff_t>(i) * t.step + static_cast<ptrdiff_t>(y) * t.row_step;
      for (size_t x = 0; x < 4 * t.groups; ++x, tap += t.tap_step) {
        const int8_t* const weights = w + x / 4 * 64 + x % 4;
        for (size_t c = 0; c < 16; ++c) acc[c] += (tap[c] ^ flip) * weights[c * 4];
      }
      w += t.groups * 64;
    }
    std::memcpy(sums, acc, sizeof(acc));
  }
}

#endif

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(sum);

void sum_depthwise(const DepthwiseBytes& args, size_t count, int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(sum)(args, count, sums);
}

}  // namespace edgewright
#endif
