#include "split/privacy/gaussian.h"

#include <cmath>

namespace edgewright {
namespace {

Status check(PrivacyBound bound, double sensitivity) {
  if (!(bound.epsilon > 0) || !std::isfinite(bound.epsilon) || !(bound.delta > 0) ||
      !(bound.delta < 1) || !(sensitivity > 0) || !std::isfinite(sensitivity)) {
    return usage_error(
        "found epsilon {}, delta {}, sensitivity {}; expected all above 0 and delta "
        "below 1",
        bound.epsilon, bound.delta, sensitivity);
  }
  return {};
}

// log(Phi(x)) without underflow: for very small x the first terms of the asymptotic series.
double log_normal_cdf(double x) {
  if (x > -30) return std::log(normal_cdf(x));
  const double square = 1 / (x * x);
  return -x * x / 2 - std::log(-x) - 0.91893853320467274178 +
         std::log1p(-square + 3 * square * square - 15 * square * square * square);
}

}  // namespace

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double gaussian_delta(double sigma, double sensitivity, double epsilon) {
  const double ratio = sensitivity / sigma;
  const double high = normal_cdf(ratio / 2 - epsilon / ratio);
  // exp(epsilon) may overflow where its factor underflows.
  return high - std::exp(epsilon + log_normal_cdf(-ratio / 2 - epsilon / ratio));
}

double gaussian_epsilon(double sigma, double sensitivity, double delta) {
  if (gaussian_delta(sigma, sensitivity, 0) <= delta) return 0;
  double low = 0, high = 1;
  while (gaussian_delta(sigma, sensitivity, high) > delta && high < 1e6) high *= 2;
  for (int step = 0; step < 200 && low < high; ++step) {
    const double middle = 0.5 * (low + high);
    (gaussian_delta(sigma, sensitivity, middle) > delta ? low : high) = middle;
  }
  return high;
}

Result<double> analytic_sigma(PrivacyBound bound, double sensitivity) {
  EDGEWRIGHT_TRY(check(bound, sensitivity));
  double low = 0, high = sensitivity;
  while (gaussian_delta(high, sensitivity, bound.epsilon) > bound.delta) high *= 2;
  for (int step = 0; step < 200 && low < high; ++step) {
    const double middle = 0.5 * (low + high);
    (gaussian_delta(middle, sensitivity, bound.epsilon) > bound.delta ? low : high) = middle;
  }
  return high;
}

Result<double> classical_sigma(PrivacyBound bound, double sensitivity) {
  EDGEWRIGHT_TRY(check(bound, sensitivity));
  if (bound.epsilon >= 1) {
    return usage_error(
        "the classical formula is proven for epsilon below 1 only, found {}; use the "
        "analytic one",
        bound.epsilon);
  }
  return std::sqrt(2 * std::log(1.25 / bound.delta)) * sensitivity / bound.epsilon;
}

}  // namespace edgewright
