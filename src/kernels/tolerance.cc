#include "kernels/tolerance.h"

#include <algorithm>
#include <cmath>

namespace edgewright {

std::string difference(const Tensor& actual, const Tensor& expected,
                       const KernelTolerance& tolerance) {
  if (actual.dims() != expected.dims()) {
    return fmt::format("shape {} instead of {}", dims_text(actual.dims()),
                       dims_text(expected.dims()));
  }
  const auto found = actual.elements<float>();
  const auto wanted = expected.elements<float>();
  double scale = 0;
  for (const float value : wanted) {
    if (std::isfinite(value)) scale = std::max(scale, std::abs(static_cast<double>(value)));
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double a = found[i], b = wanted[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double allowed = tolerance.absolute * scale + tolerance.relative * std::abs(b);
    if (std::abs(a - b) <= allowed) continue;
    return fmt::format("element {} is {} instead of {} (tolerance of {}: {})", i, a, b,
                       tolerance.operation, allowed);
  }
  return {};
}

}  // namespace edgewright
