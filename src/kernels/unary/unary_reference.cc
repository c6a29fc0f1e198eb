// Mathematical functions of one operand.
#include <algorithm>
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/elementwise.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

using namespace reference;

// A function of real numbers in both precisions; 16-bit floats are computed as float.
struct RealFunction {
  std::string_view op;
  float (*f32)(float);
  double (*f64)(double);
};

template <class T>
T reciprocal(T x) {
  return 1 / x;
}
template <class T>
T sigmoid(T x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

constexpr RealFunction kRealFunctions[] = {
    {"Acos", std::acos, std::acos},
    {"Acosh", std::acosh, std::acosh},
    {"Asin", std::asin, std::asin},
    {"Asinh", std::asinh, std::asinh},
    {"Atan", std::atan, std::atan},
    {"Atanh", std::atanh, std::atanh},
    {"Ceil", std::ceil, std::ceil},
    {"Cos", std::cos, std::cos},
    {"Cosh", std::cosh, std::cosh},
    {"Erf", std::erf, std::erf},
    {"Exp", std::exp, std::exp},
    {"Floor", std::floor, std::floor},
    {"Log", std::log, std::log},
    {"Reciprocal", reciprocal, reciprocal},
    {"Round", std::nearbyint, std::nearbyint},  // ties go to even, the default rounding mode
    {"Sigmoid", sigmoid, sigmoid},
    {"Sin", std::sin, std::sin},
    {"Sinh", std::sinh, std::sinh},
    {"Sqrt", std::sqrt, std::sqrt},
    {"Tan", std::tan, std::tan},
    {"Tanh", std::tanh, std::tanh},
};

Status real_function(OpCall& call) {
  const auto* row = std::find_if(std::begin(kRealFunctions), std::end(kRealFunctions),
                                 [&](const RealFunction& f) { return f.op == call.op; });
  EDGEWRIGHT_CHECK(row != std::end(kRealFunctions));
  return unary_elementwise<Floats>(call, [&]<class T>(T x) {
    if constexpr (std::is_same_v<T, double>) {
      return row->f64(x);
    } else {
      return row->f32(x);
    }
  });
}

using SignedNumbers = decltype(join(Floats(), SignedInts()));

Status abs(OpCall& call) {
  return unary_elementwise<Numbers>(call, []<class T>(T x) {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fabs(x);
    } else {
      return x < 0 ? wrapping_sub(T{0}, x) : x;
    }
  });
}

Status neg(OpCall& call) {
  return unary_elementwise<SignedNumbers>(call, []<class T>(T x) {
    if constexpr (std::is_floating_point_v<T>) {
      return -x;
    } else {
      return wrapping_sub(T{0}, x);
    }
  });
}

Status sign(OpCall& call) {
  return unary_elementwise<Numbers>(call, []<class T>(T x) {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(x)) return x;
    }
    return static_cast<T>((x > 0) - (x < 0));
  });
}

// Output 0 (bool) = test(input 0), 8-bit floats included.
template <class Test>
Status classify(OpCall& call, Test test) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  if (!is_floating_point(x->dtype())) return no_such_type(call, x->dtype());
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kBool, x->dims()));
  auto* to = out->mutable_data<uint8_t>();
  for (int64_t i = 0; i < x->element_count(); ++i) {
    to[i] = static_cast<uint8_t>(test(load_double(x->dtype(), x->bytes(), i)));
  }
  return {};
}

Status is_nan(OpCall& call) {
  return classify(call, [](double x) { return std::isnan(x); });
}

Status is_inf(OpCall& call) {
  const bool positive = call.attributes->get_int("detect_positive", 1) != 0;
  const bool negative = call.attributes->get_int("detect_negative", 1) != 0;
  return classify(call, [=](double x) { return std::isinf(x) && (x > 0 ? positive : negative); });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Abs", abs},
    {"", "Neg", neg},
    {"", "Sign", sign},
    {"", "IsNaN", is_nan},
    {"", "IsInf", is_inf},
    {"", "Acos", real_function},
    {"", "Acosh", real_function},
    {"", "Asin", real_function},
    {"", "Asinh", real_function},
    {"", "Atan", real_function},
    {"", "Atanh", real_function},
    {"", "Ceil", real_function},
    {"", "Cos", real_function},
    {"", "Cosh", real_function},
    {"", "Erf", real_function},
    {"", "Exp", real_function},
    {"", "Floor", real_function},
    {"", "Log", real_function},
    {"", "Reciprocal", real_function},
    {"", "Round", real_function},
    {"", "Sigmoid", real_function},
    {"", "Sin", real_function},
    {"", "Sinh", real_function},
    {"", "Sqrt", real_function},
    {"", "Tan", real_function},
    {"", "Tanh", real_function},
};

}  // namespace

std::span<const ReferenceKernel> unary_reference_kernels() { return kKernels; }

}  // namespace edgewright
