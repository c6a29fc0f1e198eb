#include "kernels/integer/window_bytes.h"

#include <limits>

#include "kernels/integer/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/integer/window_bytes_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/integer/bytes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Values of T become bytes where O is a byte, else floats.
template <class O>
HWY_INLINE void finish(FloatVector value, const ByteMean& mean, O* out, size_t count) {
  const FloatTag d;
  value = hn::MulAdd(value, hn::Set(d, mean.scale), hn::Set(d, mean.offset));
  if constexpr (!std::is_same_v<O, float>) {
    const auto low = hn::Set(d, static_cast<float>(std::numeric_limits<O>::lowest()));
    const auto high = hn::Set(d, static_cast<float>(std::numeric_limits<O>::max()));
    value = hn::Min(hn::Max(value, low), high);
  }
  store_in_range(value, out, count);
}

template <class T, class O>
void sum_window(const ByteWindow& w, const ByteMean& mean, void* out) {
  const FloatTag d;
  auto* const to = static_cast<O*>(out);
  for (size_t i = 0; i < w.inner; i += kFloatLanes) {
    const size_t count = HWY_MIN(w.inner - i, kFloatLanes);
    auto sum = hn::Zero(d);
    for (size_t y = 0; y < w.rows; ++y) {
      const T* value = static_cast<const T*>(w.in) + static_cast<ptrdiff_t>(y) * w.row_step + i;
      for (size_t x = 0; x < w.columns; ++x, value += w.column_step) {
        sum = hn::Add(sum, load_real(value, count));
      }
    }
    finish(sum, mean, to + i, count);
  }
}

template <class T, class O>
void blend(const ByteNeighbours& n, const ByteMean& mean, void* out) {
  const FloatTag d;
  auto* const to = static_cast<O*>(out);
  const auto right = hn::Set(d, n.right), down = hn::Set(d, n.down);
  for (size_t i = 0; i < n.inner; i += kFloatLanes) {
    const size_t count = HWY_MIN(n.inner - i, kFloatLanes);
    const auto a = load_real(static_cast<const T*>(n.at[0]) + i, count);
    const auto b = load_real(static_cast<const T*>(n.at[1]) + i, count);
    const auto c = load_real(static_cast<const T*>(n.at[2]) + i, count);
    const auto e = load_real(static_cast<const T*>(n.at[3]) + i, count);
    const auto top = hn::MulAdd(hn::Sub(b, a), right, a);
    const auto bottom = hn::MulAdd(hn::Sub(e, c), right, c);
    finish(hn::MulAdd(hn::Sub(bottom, top), down, top), mean, to + i, count);
  }
}

template <class T>
WindowFunctions functions_from(DType out) {
  if (out == DType::kUint8) return {sum_window<T, uint8_t>, blend<T, uint8_t>};
  if (out == DType::kInt8) return {sum_window<T, int8_t>, blend<T, int8_t>};
  if (out == DType::kFloat32) return {sum_window<T, float>, blend<T, float>};
  return {};
}

WindowFunctions functions(DType in, DType out) {
  if (in == DType::kUint8) return functions_from<uint8_t>(out);
  if (in == DType::kInt8) return functions_from<int8_t>(out);
  return {};
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(functions);

WindowFunctions window_functions(DType in, DType out) {
  return HWY_DYNAMIC_DISPATCH(functions)(in, out);
}

}  // namespace edgewright
#endif
