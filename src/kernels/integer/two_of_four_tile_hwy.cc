// Integer sums with weights of which two in four along k are kept: for every eight values of k each
// column takes the four bytes of A that its weights want.
#include "kernels/integer/integer_tile.h"

#include <cstring>

#include "kernels/integer/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/integer/two_of_four_tile_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/integer/dot-inl.h"
#include "kernels/integer/tile_table-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
constexpr size_t kEight = 64 / 8;  // eights of k in a chunk

#if HWY_TARGET == HWY_AVX3_DL
// Places of four weights (two bits each) as a byte index into the eight bytes of A.
HWY_INLINE __m512i indices_of(const int8_t* codes) {
  const __m512i code =
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
  const __m512i low = _mm512_or_si512(code, _mm512_slli_epi32(code, 6));
  const __m512i high = _mm512_or_si512(_mm512_slli_epi32(code, 12), _mm512_slli_epi32(code, 18));
  const __m512i places =
      _mm512_and_si512(_mm512_or_si512(low, high), _mm512_set1_epi32(0x03030303));
  return _mm512_or_si512(places, _mm512_set1_epi32(0x04040000));
}
#endif

struct TwoOfFourTiles {
#if HWY_TARGET == HWY_AVX3_DL

  static constexpr size_t kPanels = 2;
  static constexpr size_t kRows[] = {0, 8, 8};

  template <int kTileRows, int kTilePanels>
  static HWY_NOINLINE void run(const IntegerProduct& t, int32_t* sums, ptrdiff_t step) {
    __m512i acc[kTileRows][kTilePanels];
#pragma GCC unroll 8
    for (int m = 0; m < kTileRows; ++m) {
#pragma GCC unroll 2
      for (int j = 0; j < kTilePanels; ++j) acc[m][j] = _mm512_setzero_si512();
    }
    const __m512i flip = _mm512_set1_epi8(t.a_is_signed ? -128 : 0);
    const size_t eights = (t.k + 7) / 8;
    for (size_t b = 0; b < t.blocks; ++b) {
      const uint8_t* a = t.a + t.offsets[b];
      const int8_t* const w = t.w + static_cast<ptrdiff_t>(b) * t.w_block;
      for (size_t e = 0; e < eights; ++e, a += 8) {
        const int8_t* const chunk = w + e / kEight * kTwoOfFourChunkBytes;
        __m512i weights[kTilePanels], indices[kTilePanels];
#pragma GCC unroll 2
        for (int j = 0; j < kTilePanels; ++j) {
          const int8_t* const panel = chunk + j * t.w_panel;
          weights[j] = _mm512_loadu_si512(panel + e % kEight * 64);
          indices[j] = indices_of(panel + 512 + e % kEight * 16);
        }
#pragma GCC unroll 8
        for (int m = 0; m < kTileRows; ++m) {
          int64_t eight;
          std::memcpy(&eight, a + m * t.a_step, sizeof(eight));
          const __m512i bytes = _mm512_xor_si512(_mm512_set1_epi64(eight), flip);
#pragma GCC unroll 2
          for (int j = 0; j < kTilePanels; ++j) {
            acc[m][j] =
                add_dot_products(acc[m][j], _mm512_shuffle_epi8(bytes, indices[j]), weights[j]);
          }
        }
      }
    }
#pragma GCC unroll 8
    for (int m = 0; m < kTileRows; ++m) {
#pragma GCC unroll 2
      for (int j = 0; j < kTilePanels; ++j) {
        _mm512_storeu_si512(sums + m * step + j * 16, acc[m][j]);
      }
    }
  }

#elif HWY_TARGET == HWY_AVX2

  static constexpr size_t kPanels = 1;
  static constexpr size_t kRows[] = {0, 2};

  // Four columns at a time; products of 16-bit integers because the 8-bit ones saturate.
  template <int kTileRows, int kTilePanels>
  static HWY_NOINLINE void run(const IntegerProduct& t, int32_t* sums, ptrdiff_t step) {
    __m256i acc[kTileRows][4];
    for (auto& row : acc) {
      for (__m256i& sum : row) sum = _mm256_setzero_si256();
    }
    const __m128i flip = _mm_set1_epi8(t.a_is_signed ? -128 : 0);
    const size_t eights = (t.k + 7) / 8;
    for (size_t b = 0; b < t.blocks; ++b) {
      const uint8_t* a = t.a + t.offsets[b];
      const int8_t* const w = t.w + static_cast<ptrdiff_t>(b) * t.w_block;
      for (size_t e = 0; e < eights; ++e, a += 8) {
        const int8_t* const chunk = w + e / kEight * kTwoOfFourChunkBytes;
        const int8_t* const values = chunk + e % kEight * 64;
        const int8_t* const codes = chunk + 512 + e % kEight * 16;
        __m128i bytes[kTileRows];
        for (int m = 0; m < kTileRows; ++m) {
          int64_t eight;
          std::memcpy(&eight, a + m * t.a_step, sizeof(eight));
          bytes[m] = _mm_xor_si128(_mm_set1_epi64x(eight), flip);
        }
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
          int32_t four;
          std::memcpy(&four, codes + 4 * j, sizeof(four));
          const __m128i code = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
          const __m128i low = _mm_or_si128(code, _mm_slli_epi32(code, 6));
          const __m128i high = _mm_or_si128(_mm_slli_epi32(code, 12), _mm_slli_epi32(code, 18));
          const __m128i indices =
              _mm_or_si128(_mm_and_si128(_mm_or_si128(low, high), _mm_set1_epi32(0x03030303)),
                           _mm_set1_epi32(0x04040000));
          const __m256i weights = _mm256_cvtepi8_epi16(
              _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + 16 * j)));
          for (int m = 0; m < kTileRows; ++m) {
            const __m256i picked = _mm256_cvtepu8_epi16(_mm_shuffle_epi8(bytes[m], indices));
            acc[m][j] = _mm256_add_epi32(acc[m][j], _mm256_madd_epi16(picked, weights));
          }
        }
      }
    }
    for (int m = 0; m < kTileRows; ++m) {
      for (int j = 0; j < 4; ++j) {
        HWY_ALIGN int32_t lanes[8];
        _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), acc[m][j]);
        for (int c = 0; c < 4; ++c) sums[m * step + j * 4 + c] = lanes[2 * c] + lanes[2 * c + 1];
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
    const size_t eights = (t.k + 7) / 8;
    for (size_t b = 0; b < t.blocks; ++b) {
      const uint8_t* a = t.a + t.offsets[b];
      const int8_t* const w = t.w + static_cast<ptrdiff_t>(b) * t.w_block;
      for (size_t e = 0; e < eights; ++e, a += 8) {
        const int8_t* const chunk = w + e / kEight * kTwoOfFourChunkBytes;
        for (size_t c = 0; c < 16; ++c) {
          const auto code = static_cast<uint8_t>(chunk[512 + e % kEight * 16 + c]);
          for (size_t i = 0; i < 4; ++i) {
            const size_t place = (code >> (2 * i) & 3u) + (i < 2 ? 0 : 4);
            acc[c] += (a[place] ^ flip) * chunk[e % kEight * 64 + c * 4 + i];
          }
        }
      }
    }
    std::memcpy(sums, acc, sizeof(acc));
  }

#endif
};

const IntegerCore* core_of_two_of_four() { return core_of_tiles<TwoOfFourTiles>(); }

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(core_of_two_of_four);

const IntegerCore& two_of_four_core() { return *HWY_DYNAMIC_DISPATCH(core_of_two_of_four)(); }

}  // namespace edgewright
#endif
