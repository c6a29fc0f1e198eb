#include "kernels/integer/gate.h"

#include <array>
#include <cmath>

namespace edgewright {
namespace {

constexpr double kPi = 3.14159265358979323846;

double normal_distribution(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
// The approximation by Hendrycks and Gimpel (2016).
double tanh_gate(double x) {
  return 0.5 * (1 + std::tanh(std::sqrt(2 / kPi) * (x + 0.044715 * x * x * x)));
}

// The polynomial through five Chebyshev points of [-1/2, 1/2], the highest power first.
template <class F>
std::array<double, Gate::kCoefficients> interpolate(F function) {
  constexpr int kCount = Gate::kCoefficients;
  std::array<double, kCount> point, difference, polynomial{};
  for (int i = 0; i < kCount; ++i) {
    point[i] = 0.5 * std::cos(kPi * (2 * i + 1) / (2 * kCount));
    difference[i] = function(point[i]);
  }
  // Newton's divided differences, then nested multiplication by (u - point).
  for (int order = 1; order < kCount; ++order) {
    for (int i = kCount - 1; i >= order; --i) {
      difference[i] = (difference[i] - difference[i - 1]) / (point[i] - point[i - order]);
    }
  }
  for (int i = kCount - 1; i >= 0; --i) {
    for (int power = 0; power + 1 < kCount; ++power) {
      polynomial[power] = polynomial[power + 1] - point[i] * polynomial[power];
    }
    polynomial[kCount - 1] = difference[i] - point[i] * polynomial[kCount - 1];
  }
  return polynomial;
}

template <class F>
Gate make_gate(float range, F function) {
  Gate gate{range, {}};
  const double width = 2.0 * range / Gate::kParts;
  for (int part = 0; part < Gate::kParts; ++part) {
    const double middle = -range + (part + 0.5) * width;
    const auto polynomial = interpolate([&](double u) { return function(middle + u * width); });
    for (int i = 0; i < Gate::kCoefficients; ++i) {
      gate.coefficients[i][part] = static_cast<float>(polynomial[i]);
    }
  }
  return gate;
}

}  // namespace

const Gate* find_gate(Activation activation) {
  static const Gate gelu = make_gate(4.75f, normal_distribution);
  static const Gate gelu_tanh = make_gate(4.75f, tanh_gate);
  if (activation == Activation::kGelu) return &gelu;
  return activation == Activation::kGeluTanh ? &gelu_tanh : nullptr;
}

}  // namespace edgewright
