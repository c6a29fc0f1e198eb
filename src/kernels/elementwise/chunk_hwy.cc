#include <cmath>

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise/chunk_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/elementwise/chunk.h"
#include "kernels/math-inl.h"
#include "kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

template <class F>
HWY_INLINE void map_one(const float* a, float* out, size_t count, F function) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(function(d, hn::LoadU(d, a + i)), d, out + i);
  if (i < count) store_first(function(d, load_first(d, a + i, count - i)), d, out + i, count - i);
}

template <class F>
HWY_INLINE void map_two(const float* a, const float* b, float* out, size_t count, F function) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(function(d, hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
  }
  if (i < count) {
    const V first = load_first(d, a + i, count - i), second = load_first(d, b + i, count - i);
    store_first(function(d, first, second), d, out + i, count - i);
  }
}

template <class F>
void map_scalar(const float* a, float* out, size_t count, F function) {
  for (size_t i = 0; i < count; ++i) out[i] = function(a[i]);
}

// NaN in either operand gives NaN, as the ONNX operators have it.
HWY_INLINE V nan_aware(V a, V b, V result) {
  return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::IsNaN(b), b, result));
}

void two_operands(ElementOp op, const float* a, const float* b, float* out, size_t count) {
  switch (op) {
    case ElementOp::kAdd:
      return map_two(a, b, out, count, [](D, V x, V y) HWY_ATTR { return hn::Add(x, y); });
    case ElementOp::kSub:
      return map_two(a, b, out, count, [](D, V x, V y) HWY_ATTR { return hn::Sub(x, y); });
    case ElementOp::kMul:
      return map_two(a, b, out, count, [](D, V x, V y) HWY_ATTR { return hn::Mul(x, y); });
    case ElementOp::kDiv:
      return map_two(a, b, out, count, [](D, V x, V y) HWY_ATTR { return hn::Div(x, y); });
    case ElementOp::kMax:
      return map_two(a, b, out, count,
                     [](D, V x, V y) HWY_ATTR { return nan_aware(x, y, hn::Max(x, y)); });
    case ElementOp::kMin:
      return map_two(a, b, out, count,
                     [](D, V x, V y) HWY_ATTR { return nan_aware(x, y, hn::Min(x, y)); });
    default:
      for (size_t i = 0; i < count; ++i) out[i] = std::pow(a[i], b[i]);
  }
}

// NaN becomes the zero point, as in the reference.
void quantize(const float* a, float scale, float zero, float low, float high, float* out,
              size_t count) {
  map_one(a, out, count, [=](D d, V v) HWY_ATTR {
    const V scaled = hn::Div(v, hn::Set(d, scale));
    const V whole = hn::IfThenElse(hn::IsNaN(scaled), hn::Zero(d), hn::Round(scaled));
    return hn::Clamp(hn::Add(whole, hn::Set(d, zero)), hn::Set(d, low), hn::Set(d, high));
  });
}

template <class T>
void load_as(const T* from, float* out, size_t count) {
  const D d;
  const hn::Rebind<int32_t, D> words;
  const hn::Rebind<T, D> bytes;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::ConvertTo(d, hn::PromoteTo(words, hn::LoadU(bytes, from + i))), d, out + i);
  }
  for (; i < count; ++i) out[i] = static_cast<float>(from[i]);
}

template <class T>
void store_as(const float* values, T* out, size_t count) {
  const D d;
  const hn::Rebind<T, D> bytes;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::DemoteTo(bytes, hn::NearestInt(hn::LoadU(d, values + i))), bytes, out + i);
  }
  for (; i < count; ++i) out[i] = static_cast<T>(values[i]);
}

void load(DType dtype, const void* from, float* out, size_t count) {
  dtype == DType::kInt8 ? load_as(static_cast<const int8_t*>(from), out, count)
                        : load_as(static_cast<const uint8_t*>(from), out, count);
}
void store(DType dtype, const float* values, void* out, size_t count) {
  dtype == DType::kInt8 ? store_as(values, static_cast<int8_t*>(out), count)
                        : store_as(values, static_cast<uint8_t*>(out), count);
}

void activations(ElementOp op, const float* a, float x, float y, float* out, size_t count) {
  switch (op) {
    case ElementOp::kSigmoid:
      return map_one(a, out, count, [](D d, V v) HWY_ATTR { return vector_sigmoid(d, v); });
    case ElementOp::kRelu:
      return map_one(a, out, count,
                     [](D d, V v) HWY_ATTR { return clamped(hn::Zero(d), hn::Inf(d), v); });
    case ElementOp::kHardSwish:
      return map_one(a, out, count, [](D d, V v) HWY_ATTR {
        return vector_activation<Activation::kHardSwish>(d, v, 0, 0);
      });
    case ElementOp::kSilu:
      return map_one(a, out, count, [](D d, V v) HWY_ATTR {
        return vector_activation<Activation::kSilu>(d, v, 0, 0);
      });
    case ElementOp::kGelu:
      return map_one(a, out, count, [](D d, V v) HWY_ATTR { return vector_gelu(d, v); });
    case ElementOp::kGeluTanh:
      return map_one(a, out, count, [](D d, V v) HWY_ATTR { return vector_gelu_tanh(d, v); });
    case ElementOp::kLeakyRelu:
      return map_one(a, out, count, [x](D d, V v) HWY_ATTR {
        return vector_activation<Activation::kLeakyRelu>(d, v, x, 0);
      });
    case ElementOp::kClip:
      return map_one(a, out, count, [x, y](D d, V v) HWY_ATTR {
        return vector_activation<Activation::kClip>(d, v, x, y);
      });
    case ElementOp::kDequantize:
      return map_one(a, out, count, [x, y](D d, V v) HWY_ATTR {
        return hn::Mul(hn::Sub(v, hn::Set(d, y)), hn::Set(d, x));
      });
    case ElementOp::kQuantizeUint8: return quantize(a, x, y, 0.0f, 255.0f, out, count);
    case ElementOp::kQuantizeInt8: return quantize(a, x, y, -128.0f, 127.0f, out, count);
    default:
      return map_one(a, out, count,
                     [x, y](D d, V v) HWY_ATTR { return vector_hard_sigmoid(d, v, x, y); });
  }
}

void one_operand(ElementOp op, const float* a, float x, float y, float* out, size_t count) {
  switch (op) {
    case ElementOp::kNeg: return map_one(a, out, count, [](D, V v) HWY_ATTR { return hn::Neg(v); });
    case ElementOp::kAbs: return map_one(a, out, count, [](D, V v) HWY_ATTR { return hn::Abs(v); });
    case ElementOp::kSqrt:
      return map_one(a, out, count, [](D, V v) HWY_ATTR { return hn::Sqrt(v); });
    case ElementOp::kReciprocal:
      return map_one(a, out, count, [](D d, V v) HWY_ATTR { return hn::Div(hn::Set(d, 1.0f), v); });
    case ElementOp::kExp:
      return map_one(a, out, count, [](D d, V v) HWY_ATTR { return vector_exp(d, v); });
    case ElementOp::kErf:
      return map_one(a, out, count, [](D d, V v) HWY_ATTR { return vector_erf(d, v); });
    case ElementOp::kTanh:
      return map_one(a, out, count, [](D d, V v) HWY_ATTR { return vector_tanh(d, v); });
    case ElementOp::kFloor:
      return map_one(a, out, count, [](D, V v) HWY_ATTR { return hn::Floor(v); });
    case ElementOp::kCeil:
      return map_one(a, out, count, [](D, V v) HWY_ATTR { return hn::Ceil(v); });
    case ElementOp::kRound:
      return map_one(a, out, count, [](D, V v) HWY_ATTR { return hn::Round(v); });
    case ElementOp::kLog: return map_scalar(a, out, count, [](float v) { return std::log(v); });
    case ElementOp::kSin: return map_scalar(a, out, count, [](float v) { return std::sin(v); });
    case ElementOp::kCos: return map_scalar(a, out, count, [](float v) { return std::cos(v); });
    default: return activations(op, a, x, y, out, count);
  }
}

void compute(ElementOp op, const float* a, const float* b, float x, float y, float* out,
             size_t count) {
  return b != nullptr ? two_operands(op, a, b, out, count) : one_operand(op, a, x, y, out, count);
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {

HWY_EXPORT(compute);
HWY_EXPORT(load);
HWY_EXPORT(store);

void load_bytes(DType dtype, const void* from, float* out, size_t count) {
  HWY_DYNAMIC_DISPATCH(load)(dtype, from, out, count);
}

void store_bytes(DType dtype, const float* values, void* out, size_t count) {
  HWY_DYNAMIC_DISPATCH(store)(dtype, values, out, count);
}

void compute_chunk(ElementOp op, const float* a, const float* b, float x, float y, float* out,
                   size_t count) {
  HWY_DYNAMIC_DISPATCH(compute)(op, a, b, x, y, out, count);
}

}  // namespace edgewright
#endif
