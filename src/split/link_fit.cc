#include "split/link_fit.h"

#include <algorithm>
#include <limits>
#include <random>

namespace edgewright {
namespace {

constexpr size_t kFewest = 3;
constexpr size_t kResamples = 2000;

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return 0.5 * (*middle + *std::ranges::max_element(values.begin(), middle));
}

struct Line {
  double mbit_s = 0, fixed_us = 0;
};
Line line_through(const TwoSizes& sizes, double small_us, double large_us) {
  const double us_per_byte =
      std::max(0.0, (large_us - small_us) / (sizes.large_bytes - sizes.small_bytes));
  return {us_per_byte > 0 ? 8 / us_per_byte : std::numeric_limits<double>::infinity(),
          std::max(0.0, small_us - us_per_byte * sizes.small_bytes)};
}

std::vector<double> resampled(const std::vector<double>& values, std::mt19937_64& random) {
  std::uniform_int_distribution<size_t> any(0, values.size() - 1);
  std::vector<double> drawn;
  for (size_t i = 0; i < values.size(); ++i) drawn.push_back(values[any(random)]);
  return drawn;
}

Interval interval_of(double value, std::vector<double> repeated) {
  std::ranges::sort(repeated);
  const auto at = [&repeated](double share) {
    return repeated[static_cast<size_t>(share * static_cast<double>(repeated.size() - 1))];
  };
  return {value, at(0.025), at(0.975)};
}

}  // namespace

Result<LinkFit> fit_link(const TwoSizes& times, uint64_t seed) {
  if (std::min(times.small_us.size(), times.large_us.size()) < kFewest ||
      !(times.large_bytes > times.small_bytes)) {
    return usage_error(
        "found {} and {} times of {} and {} bytes, expected {} or more of a smaller "
        "and a larger size",
        times.small_us.size(), times.large_us.size(), times.small_bytes, times.large_bytes,
        kFewest);
  }
  const Line line = line_through(times, median(times.small_us), median(times.large_us));
  std::mt19937_64 random(seed);
  std::vector<double> rates, fixed;
  for (size_t i = 0; i < kResamples; ++i) {
    const Line again = line_through(times, median(resampled(times.small_us, random)),
                                    median(resampled(times.large_us, random)));
    rates.push_back(again.mbit_s);
    fixed.push_back(again.fixed_us);
  }
  return LinkFit{interval_of(line.mbit_s, std::move(rates)),
                 interval_of(line.fixed_us, std::move(fixed))};
}

}  // namespace edgewright
