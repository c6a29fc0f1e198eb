// Activation functions; formulas as in the ONNX operator specification.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/families.h"
#include "kernels/reference/elementwise.h"

namespace edgewright {
namespace {

using namespace reference;

template <class T>
T sigmoid(T x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

// log(1 + exp(x)) that neither overflows nor loses small values.
template <class T>
T softplus_of(T x) {
  return std::max(x, T{0}) + std::log1p(std::exp(-std::fabs(x)));
}

Status relu(OpCall& call) {
  using Types = decltype(join(Floats(), SignedInts()));
  return unary_elementwise<Types>(call, []<class T>(T x) { return x < 0 ? T{0} : x; });
}

Status leaky_relu(OpCall& call) {
  const float alpha = call.attributes->get_float("alpha", 0.01f);
  return unary_elementwise<Floats>(call, [=](auto x) { return x < 0 ? alpha * x : x; });
}

Status elu(OpCall& call) {
  const float alpha = call.attributes->get_float("alpha", 1.0f);
  return unary_elementwise<Floats>(call, [=](auto x) { return x < 0 ? alpha * std::expm1(x) : x; });
}

Status selu(OpCall& call) {
  const float alpha = call.attributes->get_float("alpha", 1.67326319217681884765625f);
  const float gamma = call.attributes->get_float("gamma", 1.05070102214813232421875f);
  return unary_elementwise<Floats>(
      call, [=](auto x) { return x > 0 ? gamma * x : gamma * alpha * std::expm1(x); });
}

Status celu(OpCall& call) {
  const float alpha = call.attributes->get_float("alpha", 1.0f);
  return unary_elementwise<Floats>(
      call, [=](auto x) { return x < 0 ? alpha * std::expm1(x / alpha) : x; });
}

Status hard_sigmoid(OpCall& call) {
  const float alpha = call.attributes->get_float("alpha", 0.2f);
  const float beta = call.attributes->get_float("beta", 0.5f);
  return unary_elementwise<Floats>(
      call, [=]<class T>(T x) { return std::max(T{0}, std::min(T{1}, alpha * x + beta)); });
}

Status hard_swish(OpCall& call) {
  return unary_elementwise<Floats>(
      call, []<class T>(T x) { return x * std::max(T{0}, std::min(T{1}, x / 6 + T{0.5})); });
}

Status mish(OpCall& call) {
  return unary_elementwise<Floats>(call, [](auto x) { return x * std::tanh(softplus_of(x)); });
}

Status softplus(OpCall& call) {
  return unary_elementwise<Floats>(call, [](auto x) { return softplus_of(x); });
}

Status softsign(OpCall& call) {
  return unary_elementwise<Floats>(call, [](auto x) { return x / (1 + std::fabs(x)); });
}

Status thresholded_relu(OpCall& call) {
  const float alpha = call.attributes->get_float("alpha", 1.0f);
  return unary_elementwise<Floats>(call, [=]<class T>(T x) { return x > alpha ? x : T{0}; });
}

Status swish(OpCall& call) {
  const float alpha = call.attributes->get_float("alpha", 1.0f);
  return unary_elementwise<Floats>(call, [=](auto x) { return x * sigmoid(alpha * x); });
}

Status swiglu(OpCall& call) {
  const float alpha = call.attributes->get_float("alpha", 1.0f);
  EDGEWRIGHT_ASSIGN(const Tensor* gate, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* linear, call.tensor(1));
  if (gate->dims() != linear->dims()) {
    return bad_input("SwiGLU: shapes {} and {} differ", dims_text(gate->dims()),
                     dims_text(linear->dims()));
  }
  return binary_elementwise<Floats>(call,
                                    [=](auto a, auto b) { return a * sigmoid(alpha * a) * b; });
}

Status gelu(OpCall& call) {
  const std::string approximate = call.attributes->get_string("approximate", "none");
  if (approximate == "tanh") {
    return unary_elementwise<Floats>(call, []<class T>(T x) {
      const T scale = std::sqrt(2 / std::numbers::pi_v<T>);
      return x / 2 * (1 + std::tanh(scale * (x + T{0.044715} * x * x * x)));
    });
  }
  if (approximate != "none") {
    return bad_input("Gelu: approximate \"{}\" is neither none nor tanh", approximate);
  }
  return unary_elementwise<Floats>(
      call, []<class T>(T x) { return x / 2 * (1 + std::erf(x / std::numbers::sqrt2_v<T>)); });
}

Status shrink(OpCall& call) {
  const float bias = call.attributes->get_float("bias", 0.0f);
  const float lambd = call.attributes->get_float("lambd", 0.5f);
  return unary_elementwise<Numbers>(call, [=]<class T>(T x) {
    using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const auto value = static_cast<Real>(x);
    if (value < -lambd) return static_cast<T>(value + bias);
    return value > lambd ? static_cast<T>(value - bias) : T{0};
  });
}

template <class T>
Result<T> bound(const OpCall& call, size_t i, DType dtype, T otherwise) {
  if (!call.has_input(i)) return otherwise;
  EDGEWRIGHT_ASSIGN(const Tensor* tensor, call.tensor(i));
  EDGEWRIGHT_TRY(expect_type(call, *tensor, dtype));
  if (tensor->element_count() != 1) {
    return bad_input("Clip: a bound of shape {}, expected a scalar", dims_text(tensor->dims()));
  }
  return *tensor->data<T>();
}

// min(max(x, low), high): where the bounds cross, the upper one wins.
Status clip(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  return dispatch<Numbers>(call, x->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    using C = Compute<T>;
    EDGEWRIGHT_ASSIGN(const T low,
                      bound<T>(call, 1, x->dtype(), T(std::numeric_limits<C>::lowest())));
    EDGEWRIGHT_ASSIGN(const T high,
                      bound<T>(call, 2, x->dtype(), T(std::numeric_limits<C>::max())));
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), x->dims()));
    const C least = widen(low);
    const C most = widen(high);
    map_elements(x->data<T>(), out->mutable_data<T>(), x->element_count(), [&](T element) {
      const C value = widen(element);
      const C raised = value < least ? least : value;
      return static_cast<T>(raised > most ? most : raised);
    });
    return {};
  });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Relu", relu},
    {"", "LeakyRelu", leaky_relu},
    {"", "Elu", elu},
    {"", "Selu", selu},
    {"", "Celu", celu},
    {"", "HardSigmoid", hard_sigmoid},
    {"", "HardSwish", hard_swish},
    {"", "Mish", mish},
    {"", "Softplus", softplus},
    {"", "Softsign", softsign},
    {"", "ThresholdedRelu", thresholded_relu},
    {"", "Swish", swish},
    {"", "SwiGLU", swiglu},
    {"", "Gelu", gelu},
    {"", "Shrink", shrink},
    {"", "Clip", clip},
};

}  // namespace

std::span<const ReferenceKernel> activation_reference_kernels() { return kKernels; }

}  // namespace edgewright
