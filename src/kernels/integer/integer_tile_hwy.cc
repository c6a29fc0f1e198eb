#include "kernels/integer/integer_tile.h"

#include <cstring>

#include "kernels/integer/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/integer/integer_tile_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/integer/dot-inl.h"
#include "kernels/integer/tile_table-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {

// Four bytes of A as they lie; signed ones are moved by 128 into the unsigned range.
HWY_INLINE uint32_t load_quad(const uint8_t* from, uint32_t flip) {
  uint32_t quad;
  std::memcpy(&quad, from, sizeof(quad));
  return quad ^ flip;
}

struct DenseTiles {
#if HWY_TARGET == HWY_AVX3_DL

  // 24 accumulators at most, beside the vectors of W and one of A.
  static constexpr size_t kPanels = 4;
  static constexpr size_t kRows[] = {0, 12, 12, 8, 6};

  template <int kTileRows, int kTilePanels>
  static HWY_NOINLINE void run(const IntegerProduct& t, int32_t* sums, ptrdiff_t step) {
    __m512i acc[kTileRows][kTilePanels];
#pragma GCC unroll 16
    for (int m = 0; m < kTileRows; ++m) {
#pragma GCC unroll 4
      for (int j = 0; j < kTilePanels; ++j) acc[m][j] = _mm512_setzero_si512();
    }
    const uint32_t flip = t.a_is_signed ? 0x80808080u : 0;
    const size_t quads = (t.k + 3) / 4;
    for (size_t b = 0; b < t.blocks; ++b) {
      const uint8_t* a = t.a + t.offsets[b];
      const int8_t* w = t.w + static_cast<ptrdiff_t>(b) * t.w_block;
      for (size_t q = 0; q < quads; ++q, a += 4, w += 64) {
        __m512i weights[kTilePanels];
#pragma GCC unroll 4
        for (int j = 0; j < kTilePanels; ++j) weights[j] = _mm512_loadu_si512(w + j * t.w_panel);
#pragma GCC unroll 16
        for (int m = 0; m < kTileRows; ++m) {
          const __m512i value =
              _mm512_set1_epi32(static_cast<int>(load_quad(a + m * t.a_step, flip)));
#pragma GCC unroll 4
          for (int j = 0; j < kTilePanels; ++j) {
            acc[m][j] = add_dot_products(acc[m][j], value, weights[j]);
          }
        }
      }
    }
#pragma GCC unroll 16
    for (int m = 0; m < kTileRows; ++m) {
#pragma GCC unroll 4
      for (int j = 0; j < kTilePanels; ++j) {
        _mm512_storeu_si512(sums + m * step + j * 16, acc[m][j]);
      }
    }
  }

#elif HWY_TARGET == HWY_AVX2

  static constexpr size_t kPanels = 1;
  static constexpr size_t kRows[] = {0, 2};

  // Products of 16-bit integers: the 8-bit ones of AVX2 saturate (255 * 127 * 2 > 32767).
  template <int kTileRows, int kTilePanels>
  static HWY_NOINLINE void run(const IntegerProduct& t, int32_t* sums, ptrdiff_t step) {
    __m256i acc[kTileRows][4];  // of 4 columns, two partial sums each
    for (auto& row : acc) {
      for (__m256i& sum : row) sum = _mm256_setzero_si256();
    }
    const uint32_t flip = t.a_is_signed ? 0x80808080u : 0;
    const size_t quads = (t.k + 3) / 4;
    for (size_t b = 0; b < t.blocks; ++b) {
      const uint8_t* a = t.a + t.offsets[b];
      const int8_t* w = t.w + static_cast<ptrdiff_t>(b) * t.w_block;
      for (size_t q = 0; q < quads; ++q, a += 4, w += 64) {
        __m256i values[kTileRows];
#pragma GCC unroll 2
        for (int m = 0; m < kTileRows; ++m) {
          values[m] = _mm256_cvtepu8_epi16(
              _mm_set1_epi32(static_cast<int>(load_quad(a + m * t.a_step, flip))));
        }
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
          const __m256i weights =
              _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + j * 16)));
#pragma GCC unroll 2
          for (int m = 0; m < kTileRows; ++m) {
            acc[m][j] = _mm256_add_epi32(acc[m][j], _mm256_madd_epi16(values[m], weights));
          }
        }
      }
    }
    for (int m = 0; m < kTileRows; ++m) {
      for (int j = 0; j < 4; ++j) {
        HWY_ALIGN int32_t lanes[8];
        _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), acc[m][j]);
        for (int c = 0; c < 4; ++c) {
          sums[m * step + j * 4 + c] = lanes[2 * c] + lanes[2 * c + 1];
        }
      }
    }
  }

#elif HWY_TARGET == HWY_NEON && defined(__aarch64__)

  static constexpr size_t kPanels = 1;
  static constexpr size_t kRows[] = {0, 2};

  // Without the dot product of ARMv8.2: signed bytes times signed bytes fit 16 bits. Bytes of A are
  // therefore moved down by 128, and the sums up again by 128 times those of the weights.
  template <int kTileRows, int kTilePanels>
  static HWY_NOINLINE void run(const IntegerProduct& t, int32_t* sums, ptrdiff_t step) {
    int32x4_t acc[kTileRows][8], weight_sums[4];  // of 2 columns, two partial sums each; of 4
    for (auto& row : acc) {
      for (int32x4_t& sum : row) sum = vdupq_n_s32(0);
    }
    for (int32x4_t& sum : weight_sums) sum = vdupq_n_s32(0);
    const uint32_t flip = t.a_is_signed ? 0 : 0x80808080u;
    const size_t quads = (t.k + 3) / 4;
    for (size_t b = 0; b < t.blocks; ++b) {
      const uint8_t* a = t.a + t.offsets[b];
      const int8_t* w = t.w + static_cast<ptrdiff_t>(b) * t.w_block;
      for (size_t q = 0; q < quads; ++q, a += 4, w += 64) {
        int8x8_t values[kTileRows];
        for (int m = 0; m < kTileRows; ++m) {
          values[m] = vreinterpret_s8_u32(vdup_n_u32(load_quad(a + m * t.a_step, flip)));
        }
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
          const int8x16_t weights = vld1q_s8(w + j * 16);
          weight_sums[j] = vpadalq_s16(weight_sums[j], vpaddlq_s8(weights));
#pragma GCC unroll 2
          for (int m = 0; m < kTileRows; ++m) {
            const int16x8_t low = vmull_s8(vget_low_s8(weights), values[m]);
            const int16x8_t high = vmull_s8(vget_high_s8(weights), values[m]);
            acc[m][2 * j] = vpadalq_s16(acc[m][2 * j], low);
            acc[m][2 * j + 1] = vpadalq_s16(acc[m][2 * j + 1], high);
          }
        }
      }
    }
    for (int m = 0; m < kTileRows; ++m) {
      for (int j = 0; j < 4; ++j) {
        const int32x4_t sum = vpaddq_s32(acc[m][2 * j], acc[m][2 * j + 1]);
        vst1q_s32(sums + m * step + j * 4, vaddq_s32(sum, vshlq_n_s32(weight_sums[j], 7)));
      }
    }
  }

#else

  static constexpr size_t kPanels = 1;
  static constexpr size_t kRows[] = {0, 1};

  template <int kTileRows, int kTilePanels>
  static HWY_NOINLINE void run(const IntegerProduct& t, int32_t* sums, ptrdiff_t) {
    int32_t acc[16] = {};
    const int32_t flip = t.a_is_signed ? 0x80 : 0;
    for (size_t b = 0; b < t.blocks; ++b) {
      const uint8_t* a = t.a + t.offsets[b];
      const int8_t* w = t.w + static_cast<ptrdiff_t>(b) * t.w_block;
      for (size_t i = 0; i < t.k; ++i) {
        const int32_t value = a[i] ^ flip;
        for (size_t c = 0; c < 16; ++c) acc[c] += value * w[i / 4 * 64 + c * 4 + i % 4];
      }
    }
    std::memcpy(sums, acc, sizeof(acc));
  }

#endif
};

const IntegerCore* core_of_target() {
#if HWY_TARGET == HWY_NEON
  if (const IntegerCore* core = neon_dot_core()) return core;
#endif
  return core_of_tiles<DenseTiles>();
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(core_of_target);

const IntegerCore& vector_integer_core() { return *HWY_DYNAMIC_DISPATCH(core_of_target)(); }

}  // namespace edgewright
#endif
