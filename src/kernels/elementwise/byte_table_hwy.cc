// Bytes through a table of 256 entries.
#include "kernels/elementwise/byte_table.h"

#include "kernels/integer/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise/byte_table_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {

// Whole vectors; how many bytes were done.
size_t map_vectors(const uint8_t* table, const uint8_t* from, uint8_t* to, size_t count) {
  size_t i = 0;
#if HWY_TARGET == HWY_AVX3_DL
  __m512i part[4];
  for (int p = 0; p < 4; ++p) part[p] = _mm512_loadu_si512(table + 64 * p);
  for (; i + 64 <= count; i += 64) {
    const __m512i places = _mm512_loadu_si512(from + i);
    const __m512i low = _mm512_permutex2var_epi8(part[0], places, part[1]);
    const __m512i high = _mm512_permutex2var_epi8(part[2], places, part[3]);
    const __mmask64 is_high = _mm512_movepi8_mask(places);
    _mm512_storeu_si512(to + i, _mm512_mask_blend_epi8(is_high, low, high));
  }
#elif HWY_TARGET == HWY_NEON && defined(__aarch64__)
  // A quarter of the table at a time; places beyond it leave what is there.
  uint8x16x4_t part[4];
  for (int p = 0; p < 4; ++p) part[p] = vld1q_u8_x4(table + 64 * p);
  const uint8x16_t step = vdupq_n_u8(64);
  for (; i + 16 <= count; i += 16) {
    uint8x16_t places = vld1q_u8(from + i);
    uint8x16_t found = vqtbl4q_u8(part[0], places);
    for (int p = 1; p < 4; ++p) {
      places = vsubq_u8(places, step);
      found = vqtbx4q_u8(found, part[p], places);
    }
    vst1q_u8(to + i, found);
  }
#else
  static_cast<void>(table), static_cast<void>(from), static_cast<void>(to);
  static_cast<void>(count);
#endif
  return i;
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(map_vectors);

void map_bytes(const uint8_t* table, const uint8_t* from, uint8_t* to, size_t count) {
  for (size_t i = HWY_DYNAMIC_DISPATCH(map_vectors)(table, from, to, count); i < count; ++i) {
    to[i] = table[from[i]];
  }
}

}  // namespace edgewright
#endif
