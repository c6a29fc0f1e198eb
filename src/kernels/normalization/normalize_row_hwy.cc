#include <cmath>

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normalization/normalize_row_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/normalization/normalize_row.h"
#include "kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

// Adds skip and extra to the input; returns where the sum is.
const float* add_parts(const NormalizeRow& row) {
  if (row.skip == nullptr && row.extra == nullptr) return row.in;
  const D d;
  for (size_t i = 0; i < row.count; i += hn::Lanes(d)) {
    const size_t left = row.count - i;
    V value = load_first(d, row.in + i, left);
    if (row.skip) value = hn::Add(value, load_first(d, row.skip + i, left));
    if (row.extra) value = hn::Add(value, load_first(d, row.extra + i, left));
    store_first(value, d, row.sum + i, left);
  }
  return row.sum;
}

float mean_of(const float* in, size_t count) {
  const D d;
  V sum = hn::Zero(d);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    sum = hn::Add(sum, load_first(d, in + i, count - i));
  }
  return hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<float>(count);
}

// Mean of the squared distances from `mean`: exact where sums of squares would cancel.
float mean_square(const float* in, size_t count, float mean) {
  const D d;
  const V middle = hn::Set(d, mean);
  V sum = hn::Zero(d);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const size_t valid = HWY_MIN(count - i, hn::Lanes(d));
    const V distance =
        hn::IfThenElseZero(hn::FirstN(d, valid), hn::Sub(load_first(d, in + i, count - i), middle));
    sum = hn::MulAdd(distance, distance, sum);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<float>(count);
}

void normalize(const NormalizeRow& row) {
  const D d;
  const float* const in = add_parts(row);
  const float mean = row.subtract_mean ? mean_of(in, row.count) : 0.0f;
  const float variance = mean_square(in, row.count, mean);
  const V middle = hn::Set(d, mean);
  const V factor = hn::Set(d, 1.0f / std::sqrt(variance + row.epsilon));
  for (size_t i = 0; i < row.count; i += hn::Lanes(d)) {
    const size_t left = row.count - i;
    V value = hn::Mul(hn::Sub(load_first(d, in + i, left), middle), factor);
    if (row.scale) value = hn::Mul(value, load_first(d, row.scale + i, left));
    if (row.bias) value = hn::Add(value, load_first(d, row.bias + i, left));
    store_first(value, d, row.out + i, left);
  }
}

void scale_shift(const float* in, float* out, size_t count, float scale, float shift) {
  const D d;
  const V factor = hn::Set(d, scale), offset = hn::Set(d, shift);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    const V value = load_first(d, in + i, count - i);
    store_first(hn::MulAdd(value, factor, offset), d, out + i, count - i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(normalize);
HWY_EXPORT(scale_shift);

void normalize_row(const NormalizeRow& row) { HWY_DYNAMIC_DISPATCH(normalize)(row); }
void scale_shift_row(const float* in, float* out, size_t count, float scale, float shift) {
  HWY_DYNAMIC_DISPATCH(scale_shift)(in, out, count, scale, shift);
}

}  // namespace edgewright
#endif
