#include "kernels/sparse/two_of_four.h"

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sparse/two_of_four_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

template <int kRows, int kPanels>
void tile(const TwoOfFour& t) {
  for (int p = 0; p < kPanels; ++p) {
    for (int m = 0; m < kRows; ++m) {
      float* const sums = t.sums + m * t.step + 16 * p;
      for (size_t c = 0; c < 16; ++c) sums[c] = 0;
      const std::byte* from = t.panels + static_cast<size_t>(p) * t.quads * kTwoOfFourBytes;
      for (size_t q = 0; q < t.quads; ++q, from += kTwoOfFourBytes) {
        const float* const weights = reinterpret_cast<const float*>(from);
        const float* const a = t.a + m * t.a_step + 4 * q;
        for (size_t c = 0; c < 16; ++c) {
          const auto places = static_cast<unsigned>(from[128 + c]);
          sums[c] += weights[c] * a[places & 3] + weights[16 + c] * a[places >> 2 & 3];
        }
      }
    }
  }
}

#else

using D = hn::CappedTag<float, 16>;
using U = hn::RebindToUnsigned<D>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
constexpr int kVectors = 16 / kLanes;

// Lane i of the result: one of the four values of its 128-bit block.
HWY_INLINE V pick(V four, hn::Vec<U> places) {
#if HWY_TARGET == HWY_AVX3
  return V{_mm512_permutevar_ps(four.raw, places.raw)};
#elif HWY_TARGET == HWY_AVX2
  return V{_mm256_permutevar_ps(four.raw, places.raw)};
#else
  const D d;
  const U u;
  const hn::Repartition<uint8_t, D> bytes;
  const auto index = hn::Add(hn::Mul(hn::And(places, hn::Set(u, 3)), hn::Set(u, 0x04040404u)),
                             hn::Set(u, 0x03020100u));
  return hn::BitCast(d, hn::TableLookupBytes(hn::BitCast(bytes, four), hn::BitCast(bytes, index)));
#endif
}

template <int kRows, int kPanels>
HWY_NOINLINE void tile(const TwoOfFour& t) {
  const D d;
  const U u;
  const hn::Rebind<uint8_t, D> codes;
  const size_t panel = t.quads * kTwoOfFourBytes;
  V acc[kRows][kPanels * kVectors];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 16
    for (int j = 0; j < kPanels * kVectors; ++j) acc[m][j] = hn::Zero(d);
  }
  const std::byte* from = t.panels;
  const float* a = t.a;
  for (size_t q = 0; q < t.quads; ++q, from += kTwoOfFourBytes, a += 4) {
#pragma GCC unroll 16
    for (int j = 0; j < kPanels * kVectors; ++j) {
      const std::byte* const four = from + static_cast<size_t>(j / kVectors) * panel;
      const int column = j % kVectors * kLanes;
      const auto* const weights = reinterpret_cast<const float*>(four) + column;
      const auto* const places = reinterpret_cast<const uint8_t*>(four) + 128 + column;
      const auto first = hn::PromoteTo(u, hn::LoadU(codes, places));
      const auto second = hn::ShiftRight<2>(first);
      const V w0 = hn::LoadU(d, weights), w1 = hn::LoadU(d, weights + 16);
#pragma GCC unroll 8
      for (int m = 0; m < kRows; ++m) {
        const V values = hn::LoadDup128(d, a + m * t.a_step);
        acc[m][j] = hn::MulAdd(pick(values, first), w0, acc[m][j]);
        acc[m][j] = hn::MulAdd(pick(values, second), w1, acc[m][j]);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 16
    for (int j = 0; j < kPanels * kVectors; ++j) {
      hn::StoreU(acc[m][j], d, t.sums + m * t.step + j / kVectors * 16 + j % kVectors * kLanes);
    }
  }
}

#endif

void sums(const TwoOfFour& t, size_t rows, size_t panels) {
  using Function = void (*)(const TwoOfFour&);
  static constexpr Function kOne[] = {nullptr,    tile<1, 1>, tile<2, 1>, tile<3, 1>,
                                      tile<4, 1>, tile<5, 1>, tile<6, 1>};
  static constexpr Function kTwo[] = {nullptr,    tile<1, 2>, tile<2, 2>, tile<3, 2>,
                                      tile<4, 2>, tile<5, 2>, tile<6, 2>};
  if (panels > 2) return panels == 3 ? tile<1, 3>(t) : tile<1, 4>(t);
  (panels == 2 ? kTwo : kOne)[rows](t);
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(sums);

void two_of_four_sums(const TwoOfFour& product, size_t rows, size_t panels) {
  HWY_DYNAMIC_DISPATCH(sums)(product, rows, panels);
}

}  // namespace edgewright
#endif
