#include <limits>

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/pool/pool_pixel_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/partial-inl.h"
#include "kernels/pool/pool_pixel.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

// One value a position (plain layout): the window's rows are vectors.
template <class F>
HWY_INLINE V fold_rows(const PoolWindow& window, V start, F fold) {
  const D d;
  V result = start;
  for (size_t y = 0; y < window.rows; ++y) {
    const float* const row = window.in + static_cast<ptrdiff_t>(y) * window.row_step;
    for (size_t x = 0; x < window.columns; x += hn::Lanes(d)) {
      const size_t valid = HWY_MIN(window.columns - x, hn::Lanes(d));
      const V value = load_first(d, row + x, valid);
      result = fold(result, hn::IfThenElse(hn::FirstN(d, valid), value, start));
    }
  }
  return result;
}

template <class F>
HWY_INLINE V fold_window(const PoolWindow& window, size_t at, V start, F fold) {
  const D d;
  V result = start;
  for (size_t y = 0; y < window.rows; ++y) {
    const float* value = window.in + static_cast<ptrdiff_t>(y) * window.row_step + at;
    for (size_t x = 0; x < window.columns; ++x, value += window.column_step) {
      result = fold(result, load_first(d, value, window.inner - at));
    }
  }
  return result;
}

void maximum(const PoolWindow& window, float* out) {
  const D d;
  const V lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  const auto fold = [](V a, V b) HWY_ATTR { return hn::Max(a, b); };
  if (window.inner == 1 && window.column_step == 1) {
    *out = hn::GetLane(hn::MaxOfLanes(d, fold_rows(window, lowest, fold)));
    return;
  }
  for (size_t i = 0; i < window.inner; i += hn::Lanes(d)) {
    store_first(fold_window(window, i, lowest, fold), d, out + i, window.inner - i);
  }
}

void average(const PoolWindow& window, float factor, float* out) {
  const D d;
  const auto fold = [](V a, V b) HWY_ATTR { return hn::Add(a, b); };
  if (window.inner == 1 && window.column_step == 1) {
    *out = hn::GetLane(hn::SumOfLanes(d, fold_rows(window, hn::Zero(d), fold))) * factor;
    return;
  }
  for (size_t i = 0; i < window.inner; i += hn::Lanes(d)) {
    const V sum = fold_window(window, i, hn::Zero(d), fold);
    store_first(hn::Mul(sum, hn::Set(d, factor)), d, out + i, window.inner - i);
  }
}

// Values that lie side by side go through vectors, the rest and plain tensors one by one.
template <class T>
HWY_INLINE void maximum_of_bytes(const PoolWindowOf<T>& window, T* out) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= window.inner; i += lanes) {
    auto largest = hn::Set(d, std::numeric_limits<T>::lowest());
    for (size_t y = 0; y < window.rows; ++y) {
      const T* value = window.in + static_cast<ptrdiff_t>(y) * window.row_step + i;
      for (size_t x = 0; x < window.columns; ++x, value += window.column_step) {
        largest = hn::Max(largest, hn::LoadU(d, value));
      }
    }
    hn::StoreU(largest, d, out + i);
  }
  for (; i < window.inner; ++i) {
    T largest = std::numeric_limits<T>::lowest();
    for (size_t y = 0; y < window.rows; ++y) {
      const T* value = window.in + static_cast<ptrdiff_t>(y) * window.row_step + i;
      for (size_t x = 0; x < window.columns; ++x, value += window.column_step) {
        largest = HWY_MAX(largest, *value);
      }
    }
    out[i] = largest;
  }
}
void maximum_uint8(const PoolWindowOf<uint8_t>& window, uint8_t* out) {
  maximum_of_bytes(window, out);
}
void maximum_int8(const PoolWindowOf<int8_t>& window, int8_t* out) {
  maximum_of_bytes(window, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(maximum);
HWY_EXPORT(maximum_uint8);
HWY_EXPORT(maximum_int8);
HWY_EXPORT(average);

void pool_maximum(const PoolWindow& window, float* out) {
  HWY_DYNAMIC_DISPATCH(maximum)(window, out);
}
void pool_maximum(const PoolWindowOf<uint8_t>& window, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(maximum_uint8)(window, out);
}
void pool_maximum(const PoolWindowOf<int8_t>& window, int8_t* out) {
  HWY_DYNAMIC_DISPATCH(maximum_int8)(window, out);
}
void pool_average(const PoolWindow& window, float factor, float* out) {
  HWY_DYNAMIC_DISPATCH(average)(window, factor, out);
}

}  // namespace edgewright
#endif
