#include "verify/significance.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace edgewright {

double mcnemar_p_value(int64_t only_reference, int64_t only_candidate) {
  const auto trials = static_cast<double>(only_reference + only_candidate);
  if (trials == 0) return 1;
  const boost::math::binomial_distribution<> coin(trials, 0.5);
  const auto fewer = static_cast<double>(std::min(only_reference, only_candidate));
  return std::min(1.0, 2 * boost::math::cdf(coin, fewer));
}

double paired_t_p_value(std::span<const double> differences) {
  const auto count = static_cast<double>(differences.size());
  if (count < 2) return 1;
  double mean = 0;
  for (const double d : differences) mean += d / count;
  double squares = 0;
  for (const double d : differences) squares += (d - mean) * (d - mean);
  if (squares == 0) return mean == 0 ? 1 : 0;
  const double t = mean / std::sqrt(squares / (count - 1) / count);
  const boost::math::students_t_distribution<> student(count - 1);
  return 2 * boost::math::cdf(boost::math::complement(student, std::fabs(t)));
}

}  // namespace edgewright
