#pragma once

#include "base/result.h"

namespace edgewright {

// What a release of data may reveal: for any two neighbouring inputs and any set of outputs,
// P[out of one] <= exp(epsilon) P[out of the other] + delta.
struct PrivacyBound {
  double epsilon = 1, delta = 1e-5;
};

// Standard normal distribution function.
double normal_cdf(double x);

// The smallest delta for which noise of standard deviation `sigma` on a value of L2 sensitivity
// `sensitivity` keeps `epsilon`: Balle and Wang, "Improving the Gaussian mechanism for differential
// privacy", ICML 2018, theorem 8. With r = sensitivity / sigma,
//   delta = Phi(r / 2 - epsilon / r) - exp(epsilon) Phi(-r / 2 - epsilon / r).
double gaussian_delta(double sigma, double sensitivity, double epsilon);
// And the smallest epsilon for which it keeps `delta`.
double gaussian_epsilon(double sigma, double sensitivity, double delta);

// The least noise that keeps the bound, by bisection on the formula above. kUsage unless epsilon
// and sensitivity are above 0 and delta lies between 0 and 1.
Result<double> analytic_sigma(PrivacyBound bound, double sensitivity);
// sqrt(2 ln(1.25 / delta)) sensitivity / epsilon (Dwork and Roth 2014, theorem A.1), for
// comparison: too much noise, and proven only for epsilon < 1, so it is refused (kUsage) from 1 on.
Result<double> classical_sigma(PrivacyBound bound, double sensitivity);

}  // namespace edgewright
