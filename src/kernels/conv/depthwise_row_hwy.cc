#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/depthwise_row_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/clamp-inl.h"
#include "kernels/conv/depthwise_row.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));

HWY_INLINE void store(const DepthwiseRow& r, V value, int64_t x, int lane) {
  const D d;
  const ptrdiff_t at = x * 16 + lane;
  if (r.residual && r.residual_first) value = hn::Add(value, hn::LoadU(d, r.residual + at));
  value = clamped(hn::Set(d, r.low), hn::Set(d, r.high), value);
  if (r.residual && !r.residual_first) value = hn::Add(value, hn::LoadU(d, r.residual + at));
  hn::StoreU(value, d, r.out + at);
}

// kCount outputs from x on, all of whose inputs are inside the image. kStride 0: any.
template <int kStride, int kCount>
HWY_INLINE void inside(const DepthwiseRow& r, int64_t x, int lane) {
  const D d;
  const ptrdiff_t step = (kStride > 0 ? kStride : r.stride) * 16;
  V sum[kCount];
  const V bias = hn::LoadU(d, r.bias + lane);
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) sum[i] = bias;
  const float* w = r.w + lane;
  const float* row = r.in + x * step - r.pad_left * 16 + lane;
  for (int64_t ky = 0; ky < r.kernel_rows; ++ky, row += r.row_step) {
    const float* in = row;
    for (int64_t kx = 0; kx < r.kernel_columns; ++kx, in += r.dilation * 16, w += 16) {
      const V weight = hn::LoadU(d, w);
#pragma GCC unroll 8
      for (int i = 0; i < kCount; ++i) {
        sum[i] = hn::MulAdd(weight, hn::LoadU(d, in + i * step), sum[i]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) store(r, sum[i], x + i, lane);
}

// One output near an edge: the kernel columns inside the image, two at a time.
HWY_NOINLINE void at_edge(const DepthwiseRow& r, int64_t x, int lane) {
  const D d;
  const int64_t left = x * r.stride - r.pad_left;
  const int64_t first = left >= 0 ? 0 : (-left + r.dilation - 1) / r.dilation;
  int64_t last = r.kernel_columns;
  while (last > first && left + (last - 1) * r.dilation >= r.in_width) --last;
  V sum = hn::LoadU(d, r.bias + lane), other = hn::Zero(d);
  const float* in = r.in + left * 16 + lane;
  const float* w = r.w + lane;
  for (int64_t ky = 0; ky < r.kernel_rows; ++ky, in += r.row_step, w += r.kernel_columns * 16) {
    const ptrdiff_t step = r.dilation * 16;
    int64_t kx = first;
    for (; kx + 2 <= last; kx += 2) {
      sum = hn::MulAdd(hn::LoadU(d, in + kx * step), hn::LoadU(d, w + kx * 16), sum);
      other = hn::MulAdd(hn::LoadU(d, in + (kx + 1) * step), hn::LoadU(d, w + kx * 16 + 16), other);
    }
    if (kx < last) sum = hn::MulAdd(hn::LoadU(d, in + kx * step), hn::LoadU(d, w + kx * 16), sum);
  }
  store(r, hn::Add(sum, other), x, lane);
}

// The same for three kernel columns side by side, the usual case: weights stay in registers and
// nothing but the multiplications is left in the loop.
template <int kStride, int kRows, bool kResidual, int kCount>
HWY_INLINE void inside_three(const DepthwiseRow& r, const V (&w)[kRows * 3], int64_t x, int lane) {
  const D d;
  const float* const in = r.in + (x * kStride - r.pad_left) * 16 + lane;
  const V bias = hn::LoadU(d, r.bias + lane);
  const ptrdiff_t row_step = r.row_step;
  V sum[kCount];
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) sum[i] = bias;
#pragma GCC unroll 9
  for (int tap = 0; tap < kRows * 3; ++tap) {
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) {
      const float* const from = in + tap / 3 * row_step + (i * kStride + tap % 3) * 16;
      sum[i] = hn::MulAdd(w[tap], hn::LoadU(d, from), sum[i]);
    }
  }
  const V low = hn::Set(d, r.low), high = hn::Set(d, r.high);
  float* const out = r.out + x * 16 + lane;
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) {
    if constexpr (kResidual) {
      store(r, sum[i], x + i, lane);
    } else {
      hn::StoreU(clamped(low, high, sum[i]), d, out + i * 16);
    }
  }
}

template <int kStride, int kRows, bool kResidual>
void three_columns(const DepthwiseRow& r, int64_t begin, int64_t end, int lane) {
  const D d;
  V w[kRows * 3];
#pragma GCC unroll 9
  for (int tap = 0; tap < kRows * 3; ++tap) w[tap] = hn::LoadU(d, r.w + tap * 16 + lane);
  int64_t x = begin;
  for (; x + 8 <= end; x += 8) inside_three<kStride, kRows, kResidual, 8>(r, w, x, lane);
  for (; x + 4 <= end; x += 4) inside_three<kStride, kRows, kResidual, 4>(r, w, x, lane);
  for (; x < end; ++x) inside_three<kStride, kRows, kResidual, 1>(r, w, x, lane);
}

// Only where 9 weights and 8 sums fit the registers.
#if HWY_TARGET == HWY_AVX3 || HWY_ARCH_ARM
constexpr bool kHasThreeColumns = true;
#else
constexpr bool kHasThreeColumns = false;
#endif

template <int kStride>
HWY_INLINE void any_columns(const DepthwiseRow& r, int64_t begin, int64_t end, int lane) {
  if constexpr (kHasThreeColumns && kStride > 0) {
    if (r.kernel_columns == 3 && r.dilation == 1 && r.kernel_rows == 3) {
      return r.residual ? three_columns<kStride, 3, true>(r, begin, end, lane)
                        : three_columns<kStride, 3, false>(r, begin, end, lane);
    }
    if (r.kernel_columns == 3 && r.dilation == 1 && r.kernel_rows == 2 && !r.residual) {
      return three_columns<kStride, 2, false>(r, begin, end, lane);
    }
  }
  int64_t x = begin;
  for (; x + 8 <= end; x += 8) inside<kStride, 8>(r, x, lane);
  for (; x + 4 <= end; x += 4) inside<kStride, 4>(r, x, lane);
  for (; x + 2 <= end; x += 2) inside<kStride, 2>(r, x, lane);
  for (; x < end; ++x) inside<kStride, 1>(r, x, lane);
}

template <int kStride>
void row_of_stride(const DepthwiseRow& r) {
  // Outputs in [begin, end) touch no padding.
  const int64_t span = (r.kernel_columns - 1) * r.dilation + 1;
  int64_t begin = HWY_MIN((r.pad_left + r.stride - 1) / r.stride, r.out_width);
  const int64_t reach = r.in_width + r.pad_left - span;
  int64_t end = reach < 0 ? 0 : HWY_MIN(reach / r.stride + 1, r.out_width);
  if (end < begin) end = begin;
  for (int lane = 0; lane < 16; lane += kLanes) {
    for (int64_t x = 0; x < begin; ++x) at_edge(r, x, lane);
    any_columns<kStride>(r, begin, end, lane);
    for (int64_t x = end; x < r.out_width; ++x) at_edge(r, x, lane);
  }
}

void row_of(const DepthwiseRow& r) {
  if (r.stride == 1) return row_of_stride<1>(r);
  if (r.stride == 2) return row_of_stride<2>(r);
  return row_of_stride<0>(r);
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(row_of);

void depthwise_row(const DepthwiseRow& row) { HWY_DYNAMIC_DISPATCH(row_of)(row); }

}  // namespace edgewright
#endif
