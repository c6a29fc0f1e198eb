#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/winograd_transform_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/clamp-inl.h"
#include "kernels/conv/winograd_transform.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));

// B^T x for one line of a tile.
HWY_INLINE void input_line(const V (&x)[6], V (&y)[6]) {
  const D d;
  const V four = hn::Set(d, 4.0f), five = hn::Set(d, 5.0f), two = hn::Set(d, 2.0f);
  const V a = hn::NegMulAdd(four, x[2], x[4]);
  const V b = hn::NegMulAdd(four, x[1], x[3]);
  const V c = hn::Sub(x[4], x[2]);
  const V e = hn::Mul(two, hn::Sub(x[3], x[1]));
  y[0] = hn::MulAdd(four, x[0], hn::NegMulAdd(five, x[2], x[4]));
  y[1] = hn::Add(a, b);
  y[2] = hn::Sub(a, b);
  y[3] = hn::Add(c, e);
  y[4] = hn::Sub(c, e);
  y[5] = hn::MulAdd(four, x[1], hn::NegMulAdd(five, x[3], x[5]));
}
HWY_INLINE void input_line(const V (&x)[4], V (&y)[4]) {
  y[0] = hn::Sub(x[0], x[2]);
  y[1] = hn::Add(x[1], x[2]);
  y[2] = hn::Sub(x[2], x[1]);
  y[3] = hn::Sub(x[1], x[3]);
}

// A^T x.
HWY_INLINE void output_line(const V (&x)[6], V (&y)[4]) {
  const D d;
  const V two = hn::Set(d, 2.0f), four = hn::Set(d, 4.0f), eight = hn::Set(d, 8.0f);
  const V a = hn::Add(x[1], x[2]), b = hn::Sub(x[1], x[2]);
  const V c = hn::Add(x[3], x[4]), e = hn::Sub(x[3], x[4]);
  y[0] = hn::Add(hn::Add(x[0], a), c);
  y[1] = hn::MulAdd(two, e, b);
  y[2] = hn::MulAdd(four, c, a);
  y[3] = hn::MulAdd(eight, e, hn::Add(b, x[5]));
}
HWY_INLINE void output_line(const V (&x)[4], V (&y)[2]) {
  y[0] = hn::Add(hn::Add(x[0], x[1]), x[2]);
  y[1] = hn::Sub(hn::Sub(x[1], x[2]), x[3]);
}

template <int kOut>
void input_tile(const float* in, ptrdiff_t row_step, float* out, ptrdiff_t out_step) {
  constexpr int kSize = kOut + 2;
  const D d;
  HWY_ALIGN float half[kSize][kSize][kLanes];
  for (int lane = 0; lane < 16; lane += kLanes) {
    for (int x = 0; x < kSize; ++x) {
      V line[kSize], result[kSize];
#pragma GCC unroll 6
      for (int y = 0; y < kSize; ++y) line[y] = hn::LoadU(d, in + y * row_step + x * 16 + lane);
      input_line(line, result);
#pragma GCC unroll 6
      for (int y = 0; y < kSize; ++y) hn::Store(result[y], d, half[y][x]);
    }
    for (int y = 0; y < kSize; ++y) {
      V line[kSize], result[kSize];
#pragma GCC unroll 6
      for (int x = 0; x < kSize; ++x) line[x] = hn::Load(d, half[y][x]);
      input_line(line, result);
#pragma GCC unroll 6
      for (int x = 0; x < kSize; ++x) {
        hn::StoreU(result[x], d, out + (y * kSize + x) * out_step + lane);
      }
    }
  }
}

template <int kOut>
void output_tile(const WinogradOutput& t) {
  constexpr int kSize = kOut + 2;
  const D d;
  const V low = hn::Set(d, t.low), high = hn::Set(d, t.high);
  HWY_ALIGN float half[kOut][kSize][kLanes];
  for (int lane = 0; lane < 16; lane += kLanes) {
    for (int x = 0; x < kSize; ++x) {
      V line[kSize], result[kOut];
#pragma GCC unroll 6
      for (int y = 0; y < kSize; ++y) {
        line[y] = hn::LoadU(d, t.in + (y * kSize + x) * t.in_step + lane);
      }
      output_line(line, result);
#pragma GCC unroll 6
      for (int y = 0; y < kOut; ++y) hn::Store(result[y], d, half[y][x]);
    }
    const V bias = hn::LoadU(d, t.bias + lane);
    for (int y = 0; y < t.rows; ++y) {
      V line[kSize], result[kOut];
#pragma GCC unroll 6
      for (int x = 0; x < kSize; ++x) line[x] = hn::Load(d, half[y][x]);
      output_line(line, result);
      const ptrdiff_t row = y * t.row_step + lane;
#pragma GCC unroll 4
      for (int x = 0; x < kOut; ++x) {
        if (x >= t.columns) break;
        V value = hn::Add(result[x], bias);
        const float* const residual = t.residual ? t.residual + row + x * 16 : nullptr;
        if (residual && t.residual_first) value = hn::Add(value, hn::LoadU(d, residual));
        value = clamped(low, high, value);
        if (residual && !t.residual_first) value = hn::Add(value, hn::LoadU(d, residual));
        hn::StoreU(value, d, t.out + row + x * 16);
      }
    }
  }
}

void input_of(int m, const float* in, ptrdiff_t row_step, float* out, ptrdiff_t out_step) {
  return m == 4 ? input_tile<4>(in, row_step, out, out_step)
                : input_tile<2>(in, row_step, out, out_step);
}
void output_of(int m, const WinogradOutput& tile) {
  return m == 4 ? output_tile<4>(tile) : output_tile<2>(tile);
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(input_of);
HWY_EXPORT(output_of);

void winograd_input(int m, const float* in, ptrdiff_t row_step, float* out, ptrdiff_t out_step) {
  HWY_DYNAMIC_DISPATCH(input_of)(m, in, row_step, out, out_step);
}
void winograd_output(int m, const WinogradOutput& tile) {
  HWY_DYNAMIC_DISPATCH(output_of)(m, tile);
}

}  // namespace edgewright
#endif
