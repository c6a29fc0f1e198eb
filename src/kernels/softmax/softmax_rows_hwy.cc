#include <cmath>
#include <limits>

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax/softmax_rows_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/math-inl.h"
#include "kernels/partial-inl.h"
#include "kernels/softmax/softmax_rows.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

// Lanes at and beyond `count` become `value`.
HWY_INLINE V load_or(D d, const float* from, size_t count, float value) {
  const V loaded = load_first(d, from, count);
  return hn::IfThenElse(hn::FirstN(d, HWY_MIN(count, hn::Lanes(d))), loaded, hn::Set(d, value));
}

float row_maximum(const float* in, size_t count) {
  const D d;
  const float lowest = -std::numeric_limits<float>::infinity();
  V maximum = hn::Set(d, lowest);
  for (size_t i = 0; i < count; i += hn::Lanes(d)) {
    maximum = hn::Max(maximum, load_or(d, in + i, count - i, lowest));
  }
  return hn::GetLane(hn::MaxOfLanes(d, maximum));
}

void row(const float* in, float* out, size_t count, bool log) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const V maximum = hn::Set(d, row_maximum(in, count));
  V sum = hn::Zero(d);
  for (size_t i = 0; i < count; i += lanes) {
    const V shifted = hn::Sub(load_first(d, in + i, count - i), maximum);
    const V value =
        hn::IfThenElseZero(hn::FirstN(d, HWY_MIN(count - i, lanes)), vector_exp(d, shifted));
    sum = hn::Add(sum, value);
    store_first(log ? shifted : value, d, out + i, count - i);
  }
  const float total = hn::GetLane(hn::SumOfLanes(d, sum));
  const V factor = hn::Set(d, 1.0f / total), logarithm = hn::Set(d, log ? std::log(total) : 0.0f);
  for (size_t i = 0; i < count; i += lanes) {
    const V value = load_first(d, out + i, count - i);
    store_first(log ? hn::Sub(value, logarithm) : hn::Mul(value, factor), d, out + i, count - i);
  }
}

void columns(const float* in, float* out, size_t count, size_t step, size_t width, bool log) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  for (size_t c = 0; c < width; c += lanes) {
    const size_t valid = width - c;
    V maximum = load_first(d, in + c, valid);
    for (size_t k = 1; k < count; ++k) {
      maximum = hn::Max(maximum, load_first(d, in + k * step + c, valid));
    }
    V sum = hn::Zero(d);
    for (size_t k = 0; k < count; ++k) {
      const V shifted = hn::Sub(load_first(d, in + k * step + c, valid), maximum);
      const V value = vector_exp(d, shifted);
      sum = hn::Add(sum, value);
      store_first(log ? shifted : value, d, out + k * step + c, valid);
    }
    HWY_ALIGN float totals[hn::MaxLanes(d)];
    hn::Store(sum, d, totals);
    for (size_t i = 0; i < lanes; ++i) totals[i] = log ? std::log(totals[i]) : 1.0f / totals[i];
    const V factor = hn::Load(d, totals);
    for (size_t k = 0; k < count; ++k) {
      const V value = load_first(d, out + k * step + c, valid);
      store_first(log ? hn::Sub(value, factor) : hn::Mul(value, factor), d, out + k * step + c,
                  valid);
    }
  }
}

// Rows shorter than half a vector leave most of its lanes idle: as many rows as there are lanes are
// turned to lie side by side.
constexpr size_t kNarrow = 8;

void turned_rows(const float* in, float* out, size_t rows, size_t count, bool log) {
  const size_t lanes = hn::Lanes(D());
  HWY_ALIGN float turned[kNarrow * hn::MaxLanes(D())];
  for (size_t row = 0; row < rows; row += lanes) {
    const size_t valid = HWY_MIN(lanes, rows - row);
    const float* const from = in + row * count;
    float* const to = out + row * count;
    for (size_t i = 0; i < valid; ++i) {
      for (size_t k = 0; k < count; ++k) turned[k * lanes + i] = from[i * count + k];
    }
    columns(turned, turned, count, lanes, valid, log);
    for (size_t i = 0; i < valid; ++i) {
      for (size_t k = 0; k < count; ++k) to[i * count + k] = turned[k * lanes + i];
    }
  }
}

void rows_of(const float* in, float* out, size_t rows, size_t count, bool log) {
  if (count <= kNarrow && rows > 1) return turned_rows(in, out, rows, count, log);
  for (size_t i = 0; i < rows; ++i) row(in + i * count, out + i * count, count, log);
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(rows_of);
HWY_EXPORT(columns);

void softmax_rows(const float* in, float* out, size_t rows, size_t count, bool log) {
  HWY_DYNAMIC_DISPATCH(rows_of)(in, out, rows, count, log);
}
void softmax_columns(const float* in, float* out, size_t count, size_t step, size_t width,
                     bool log) {
  HWY_DYNAMIC_DISPATCH(columns)(in, out, count, step, width, log);
}

}  // namespace edgewright
#endif
