// Elementary functions on float32 vectors. Included once per instruction set, after Highway, inside
// no namespace. Errors are the largest over all float32 arguments sampled by the test, in units in
// the last place: exp 2, tanh 3, sigmoid 3; erf 3. Coefficients: Cephes 2.8 (expf, tanhf, ndtrf).
#if defined(EDGEWRIGHT_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEWRIGHT_KERNELS_MATH_INL_H_
#undef EDGEWRIGHT_KERNELS_MATH_INL_H_
#else
#define EDGEWRIGHT_KERNELS_MATH_INL_H_
#endif

#include "kernels/clamp-inl.h"
#include "kernels/epilogue.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {

template <class D, class V, size_t kCount>
HWY_INLINE V polynomial(D d, V x, const float (&coefficients)[kCount]) {
  V value = hwy::HWY_NAMESPACE::Set(d, coefficients[0]);
#pragma GCC unroll 16
  for (size_t i = 1; i < kCount; ++i) {
    value = hwy::HWY_NAMESPACE::MulAdd(value, x, hwy::HWY_NAMESPACE::Set(d, coefficients[i]));
  }
  return value;
}

// 0 below -104, infinity above 88.73.
template <class D, class V>
HWY_INLINE V vector_exp(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::RebindToSigned<D> di;
  constexpr float kPolynomial[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                   4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
  x = clamped(hn::Set(d, -104.0f), hn::Set(d, 89.0f), x);
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504088896341f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  const V p = polynomial(d, r, kPolynomial);
  const V value = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0f));
  // Two factors, so that results beyond the range of one exponent become subnormal or infinite.
  const auto whole = hn::ConvertTo(di, n);
  const auto half = hn::ShiftRight<1>(whole);
  const auto bias = hn::Set(di, 127);
  const V first = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V second = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(whole, half), bias)));
  return hn::Mul(hn::Mul(value, first), second);
}

template <class D, class V>
HWY_INLINE V vector_sigmoid(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, vector_exp(d, hn::Neg(x))));
}

template <class D, class V>
HWY_INLINE V vector_tanh(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr float kPolynomial[] = {-5.70498872745e-3f, 2.06390887954e-2f, -5.37397155531e-2f,
                                   1.33314422036e-1f, -3.33332819422e-1f};
  const V magnitude = hn::Abs(x);
  const V square = hn::Mul(x, x);
  const V small = hn::MulAdd(hn::Mul(polynomial(d, square, kPolynomial), square), x, x);
  const V one = hn::Set(d, 1.0f);
  const V e = vector_exp(d, hn::Add(magnitude, magnitude));
  const V large = hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(e, one)));
  return hn::IfThenElse(hn::Lt(magnitude, hn::Set(d, 0.625f)), small, hn::CopySign(large, x));
}

template <class D, class V>
HWY_INLINE V vector_erf(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr float kSmall[] = {
      7.853861353153693e-5f, -8.010193625184903e-4f, 5.188327685732524e-3f, -2.685381193529856e-2f,
      1.128358514861418e-1f, -3.761262582423300e-1f, 1.128379165726710f};
  constexpr float kMiddle[] = {
      2.326819970068386e-2f,  -1.387039388740657e-1f, 3.687424674597105e-1f,
      -5.824733027278666e-1f, 6.210004621745983e-1f,  -4.944515323274145e-1f,
      3.404879937665872e-1f,  -2.741127028184656e-1f, 5.638259427386472e-1f};
  const V square = hn::Mul(x, x);
  const V small = hn::Mul(x, polynomial(d, square, kSmall));
  const V one = hn::Set(d, 1.0f);
  // Beyond 3.92 erf is 1 in float32, below it the middle polynomial is exact enough: what is left
  // of 1 is small.
  const V magnitude = hn::Min(hn::Abs(x), hn::Set(d, 4.0f));
  const V inverse = hn::Div(one, magnitude);
  const V p = polynomial(d, hn::Mul(inverse, inverse), kMiddle);
  const V rest =
      hn::Mul(hn::Mul(vector_exp(d, hn::Neg(hn::Mul(magnitude, magnitude))), inverse), p);
  const V large = hn::CopySign(hn::Sub(one, rest), x);
  return hn::IfThenElse(hn::Lt(hn::Abs(x), one), small, hn::IfThenElse(hn::IsNaN(x), x, large));
}

template <class D, class V>
HWY_INLINE V vector_gelu(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V half = hn::Mul(x, hn::Set(d, 0.5f));
  return hn::MulAdd(half, vector_erf(d, hn::Mul(x, hn::Set(d, 0.70710678118654752f))), half);
}

template <class D, class V>
HWY_INLINE V vector_gelu_tanh(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V cubic = hn::MulAdd(hn::Mul(hn::Mul(x, x), x), hn::Set(d, 0.044715f), x);
  const V half = hn::Mul(x, hn::Set(d, 0.5f));
  return hn::MulAdd(half, vector_tanh(d, hn::Mul(cubic, hn::Set(d, 0.79788456080286536f))), half);
}

template <class D, class V>
HWY_INLINE V vector_hard_sigmoid(D d, V x, float alpha, float beta) {
  namespace hn = hwy::HWY_NAMESPACE;
  const V line = hn::MulAdd(x, hn::Set(d, alpha), hn::Set(d, beta));
  return clamped(hn::Zero(d), hn::Set(d, 1.0f), line);
}

// The activation of an epilogue, clamps included.
template <Activation kActivation, class D, class V>
HWY_INLINE V vector_activation(D d, V x, float alpha, float beta) {
  namespace hn = hwy::HWY_NAMESPACE;
  if constexpr (kActivation == Activation::kLeakyRelu) {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(x, hn::Set(d, alpha)), x);
  } else if constexpr (kActivation == Activation::kSigmoid) {
    return vector_sigmoid(d, x);
  } else if constexpr (kActivation == Activation::kHardSigmoid) {
    return vector_hard_sigmoid(d, x, alpha, beta);
  } else if constexpr (kActivation == Activation::kHardSwish) {
    return hn::Mul(x, vector_hard_sigmoid(d, x, 1.0f / 6.0f, 0.5f));
  } else if constexpr (kActivation == Activation::kSilu) {
    return hn::Mul(x, vector_sigmoid(d, x));
  } else if constexpr (kActivation == Activation::kGelu) {
    return vector_gelu(d, x);
  } else if constexpr (kActivation == Activation::kGeluTanh) {
    return vector_gelu_tanh(d, x);
  } else if constexpr (kActivation == Activation::kTanh) {
    return vector_tanh(d, x);
  } else {
    return clamped(hn::Set(d, alpha), hn::Set(d, beta), x);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#endif
