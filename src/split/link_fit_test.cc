#include "split/link_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace edgewright {
namespace {

TwoSizes times(double rate_mbit_s, double fixed_us, double noise_us, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> noise(0, noise_us > 0 ? noise_us : 1);
  TwoSizes sizes{1000, 100000};
  for (int i = 0; i < 15; ++i) {
    const double first = noise_us > 0 ? noise(random) : 0,
                 second = noise_us > 0 ? noise(random) : 0;
    sizes.small_us.push_back(fixed_us + sizes.small_bytes * 8 / rate_mbit_s + first);
    sizes.large_us.push_back(fixed_us + sizes.large_bytes * 8 / rate_mbit_s + second);
  }
  return sizes;
}

TEST(LinkFit, ExactTimesGiveTheExactLine) {
  const auto fit = fit_link(times(20, 5000, 0, 1), 1);
  ASSERT_TRUE(fit.ok());
  EXPECT_NEAR(fit->mbit_s.value, 20, 1e-9);
  EXPECT_NEAR(fit->fixed_us.value, 5000, 1e-6);
  EXPECT_NEAR(fit->mbit_s.low, 20, 1e-9);
  EXPECT_NEAR(fit->mbit_s.high, 20, 1e-9);
}

TEST(LinkFit, IntervalsHoldTheTruthAsOftenAsTheySay) {
  int held = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto fit = fit_link(times(20, 5000, 800, seed), seed);
    ASSERT_TRUE(fit.ok());
    held += fit->mbit_s.low <= 20 && 20 <= fit->mbit_s.high ? 1 : 0;
  }
  // 190 are expected of 200; bootstraps of a median are a little cautious or bold.
  EXPECT_GE(held, 178);
}

TEST(LinkFit, SizesThatTakeTheSameTimeHaveNoUpperRate) {
  TwoSizes sizes{1000, 2000, {10, 10, 10}, {10, 10, 10}};
  const auto fit = fit_link(sizes, 1);
  ASSERT_TRUE(fit.ok());
  EXPECT_TRUE(std::isinf(fit->mbit_s.value));
}

TEST(LinkFit, TwoTimesAreTooFew) {
  EXPECT_EQ(fit_link({1, 2, {1, 1}, {1, 1, 1}}, 1).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(fit_link({2, 2, {1, 1, 1}, {1, 1, 1}}, 1).error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace edgewright
