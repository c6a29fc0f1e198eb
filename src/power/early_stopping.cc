#include "power/early_stopping.h"

#include <cmath>
#include <limits>

namespace edgewright {
namespace {

// P(X <= over) for X binomial with `queries` trials of probability `share`; terms by logarithms,
// each from the one before, so that neither large counts nor small shares overflow.
double binomial_at_most(int64_t queries, int64_t over, double share) {
  const auto n = static_cast<double>(queries);
  const double odds = share / (1 - share);
  double sum = 0, term = n * std::log1p(-share);
  for (int64_t k = 0; k <= over && k <= queries; ++k) {
    const auto x = static_cast<double>(k);
    sum += std::exp(term);
    term += std::log((n - x) / (x + 1) * odds);
  }
  return sum;
}

}  // namespace

int64_t required_within(const PercentileClaim& claim, int64_t over) {
  const double share = 1 - claim.percentile + claim.tolerance;
  const auto passes = [&](int64_t within) {
    return binomial_at_most(within + over, over, share) <= 1 - claim.confidence;
  };
  int64_t high = 1;
  while (!passes(high)) high *= 2;
  int64_t low = high / 2;  // does not pass, or is zero
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (passes(middle) ? high : low) = middle;
  }
  return high;
}

int64_t required_queries(const PercentileClaim& claim, int64_t over) {
  return required_within(claim, over) + over;
}

Result<int64_t> allowed_over(const PercentileClaim& claim, int64_t queries) {
  const int64_t fewest = required_queries(claim, 0);
  if (queries < fewest) {
    return check_failed(
        "{} queries cannot support the {:g}th percentile with {:g} % confidence; "
        "at least {} are needed (MLPerf early stopping)",
        queries, claim.percentile * 100, claim.confidence * 100, fewest);
  }
  int64_t low = 0, high = queries;
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    (required_queries(claim, middle) <= queries ? low : high) = middle;
  }
  return low;
}

double claimed_latency(const std::vector<double>& sorted, double percentile) {
  const auto over = allowed_over({.percentile = percentile}, std::ssize(sorted));
  if (!over.ok()) return std::numeric_limits<double>::quiet_NaN();
  return sorted[sorted.size() - 1 - static_cast<size_t>(*over)];
}

}  // namespace edgewright
