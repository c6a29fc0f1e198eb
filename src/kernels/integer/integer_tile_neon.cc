// Integer sums for 64-bit ARM with the dot product extension of ARMv8.2.
#include "kernels/integer/integer_tile.h"

#include "base/cpu.h"

#if defined(__aarch64__)
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#include <arm_neon.h>

#include <cstring>

namespace edgewright {
namespace {

constexpr size_t kRows = 5;  // 20 accumulators, beside 4 sums of weights, the weights and A

// The dot product takes signed bytes on both sides: bytes of A are moved down by 128, and the sums
// up again by 128 times those of the weights. Sums of signed bytes are so moved as all cores do.
template <size_t kTileRows>
void sum_rows(const IntegerProduct& t, int32_t* sums, ptrdiff_t step) {
  int32x4_t acc[kTileRows][4], weight_sums[4];
  for (auto& row : acc) {
    for (int32x4_t& sum : row) sum = vdupq_n_s32(0);
  }
  for (int32x4_t& sum : weight_sums) sum = vdupq_n_s32(0);
  const uint32_t flip = t.a_is_signed ? 0 : 0x80808080u;
  const int8x16_t ones = vdupq_n_s8(1);
  const size_t quads = (t.k + 3) / 4;
  for (size_t b = 0; b < t.blocks; ++b) {
    const uint8_t* a = t.a + t.offsets[b];
    const int8_t* w = t.w + static_cast<ptrdiff_t>(b) * t.w_block;
    for (size_t q = 0; q < quads; ++q, a += 4, w += 64) {
      int8x16_t weights[4];
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        weights[j] = vld1q_s8(w + j * 16);
        weight_sums[j] = vdotq_s32(weight_sums[j], weights[j], ones);
      }
#pragma GCC unroll 5
      for (size_t m = 0; m < kTileRows; ++m) {
        uint32_t quad;
        std::memcpy(&quad, a + static_cast<ptrdiff_t>(m) * t.a_step, sizeof(quad));
        const int8x16_t value = vreinterpretq_s8_u32(vdupq_n_u32(quad ^ flip));
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) acc[m][j] = vdotq_s32(acc[m][j], weights[j], value);
      }
    }
  }
  for (size_t m = 0; m < kTileRows; ++m) {
    for (int j = 0; j < 4; ++j) {
      const int32x4_t moved = vaddq_s32(acc[m][j], vshlq_n_s32(weight_sums[j], 7));
      vst1q_s32(sums + static_cast<ptrdiff_t>(m) * step + j * 4, moved);
    }
  }
}

void run(const IntegerProduct& product, size_t rows, size_t, int32_t* sums, ptrdiff_t step) {
  using Function = void (*)(const IntegerProduct&, int32_t*, ptrdiff_t);
  static constexpr Function kFunctions[kRows + 1] = {nullptr,     sum_rows<1>, sum_rows<2>,
                                                     sum_rows<3>, sum_rows<4>, sum_rows<5>};
  kFunctions[rows](product, sums, step);
}

}  // namespace

const IntegerCore* neon_dot_core() {
  static const bool available = missing_features({"asimddp"}).empty();
  static const IntegerCore core = {1, {0, kRows}, run, true, nullptr, nullptr};
  return available ? &core : nullptr;
}

}  // namespace edgewright
#pragma GCC pop_options

#else

namespace edgewright {

const IntegerCore* neon_dot_core() { return nullptr; }

}  // namespace edgewright

#endif
