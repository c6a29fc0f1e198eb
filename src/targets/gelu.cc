#include "targets/gelu.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
// Fine enough that the maximum, near which the error is flat, is missed by less than 1e-7.
constexpr int kSteps = 1 << 14;

}  // namespace

std::string_view gelu_form_name(GeluForm form) {
  constexpr std::string_view kNames[] = {"erf", "tanh", "sigmoid"};
  return kNames[static_cast<size_t>(form)];
}

double gelu(GeluForm form, double x) {
  switch (form) {
    case GeluForm::kTanh:
      return x / 2 * (1 + std::tanh(kSqrtTwoOverPi * (x + 0.044715 * x * x * x)));
    case GeluForm::kSigmoid: return x / (1 + std::exp(-1.702 * x));
    case GeluForm::kErf: break;
  }
  return x / 2 * (1 + std::erf(x * kSqrtHalf));
}

double gelu_error(GeluForm form, double low, double high) {
  if (form == GeluForm::kErf) return 0;
  // All errors vanish far from zero: beyond 8 every form is 0 or x to 1e-5.
  const double from = std::clamp(low, -8.0, 8.0), to = std::clamp(high, -8.0, 8.0);
  double worst = 0;
  for (int i = 0; i <= kSteps; ++i) {
    const double x = from + (to - from) * i / kSteps;
    worst = std::max(worst, std::fabs(gelu(form, x) - gelu(GeluForm::kErf, x)));
  }
  return worst;
}

GeluForm choose_gelu_form(double low, double high, double max_error) {
  for (const GeluForm form : {GeluForm::kSigmoid, GeluForm::kTanh}) {
    if (gelu_error(form, low, high) <= max_error) return form;
  }
  return GeluForm::kErf;
}

}  // namespace edgewright
