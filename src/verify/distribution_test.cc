#include "verify/distribution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace edgewright {
namespace {

Tensor vector(const std::vector<float>& elements) {
  return Tensor::of<float>({static_cast<int64_t>(elements.size())}, elements);
}

// Values from scipy.stats.skew, scipy.stats.kurtosis and numpy.var of the same numbers.
TEST(Moments, AgreeWithTheirDefinitions) {
  Moments moments;
  for (const double x : {1.0, 2.0, 2.0, 3.0, 9.0}) moments.add(x);
  EXPECT_NEAR(moments.mean(), 3.4, 1e-12);
  EXPECT_NEAR(moments.variance(), 8.24, 1e-12);
  // m3 = mean((x - 3.4)^3) = 31.248, m4 = mean((x - 3.4)^4) = 204.8672.
  EXPECT_NEAR(moments.skewness(), 31.248 / std::pow(8.24, 1.5), 1e-9);
  EXPECT_NEAR(moments.kurtosis(), 204.8672 / (8.24 * 8.24) - 3, 1e-9);
}

TEST(Moments, LeaveOutWhatIsNotFinite) {
  Moments moments;
  moments.add(1);
  moments.add(std::nan(""));
  moments.add(INFINITY);
  EXPECT_EQ(moments.count(), 1);
  EXPECT_EQ(moments.skewness(), 0);
}

TEST(ThinnedSample, KeepsEveryNumberWhileFewThenHalves) {
  ThinnedSample sample(4);
  for (int i = 0; i < 4; ++i) sample.add(i);
  EXPECT_EQ(sample.values(), (std::vector<double>{0, 1, 2, 3}));
  EXPECT_TRUE(sample.complete());
  for (int i = 4; i < 9; ++i) sample.add(i);
  EXPECT_EQ(sample.values(), (std::vector<double>{0, 4, 8}));
  EXPECT_FALSE(sample.complete());
}

TEST(Wasserstein, IsTheAreaBetweenTheDistributions) {
  EXPECT_DOUBLE_EQ(wasserstein_1({0, 1, 3}, {5, 6, 8}), 5);
  EXPECT_DOUBLE_EQ(wasserstein_1({0, 1}, {0, 1}), 0);
  // scipy.stats.wasserstein_distance([0, 1, 3], [5, 6]): means 4/3 and 11/2, ordered throughout.
  EXPECT_NEAR(wasserstein_1({0, 1, 3}, {5, 6}), 5.5 - 4.0 / 3, 1e-12);
}

TEST(Divergence, FollowsItsFormulas) {
  const std::vector<double> p = {1, 3}, q = {2, 2};
  EXPECT_NEAR(kl_divergence(p, q), 0.25 * std::log(0.5) + 0.75 * std::log(1.5), 1e-7);
  EXPECT_NEAR(js_divergence(std::vector<double>{1, 0}, std::vector<double>{0, 1}),
              std::numbers::ln2, 1e-12);
}

TEST(Quantile, InterpolatesBetweenNeighbours) {
  EXPECT_DOUBLE_EQ(quantile({1, 2, 4}, 0.5), 2);
  EXPECT_DOUBLE_EQ(quantile({1, 2, 4}, 0.75), 3);
}

TEST(Errors, AConstantShiftIsABias) {
  DistributionGatherer gatherer;
  std::vector<float> reference, candidate;
  for (int i = 0; i < 100; ++i) {
    reference.push_back(std::sin(static_cast<float>(i)));
    candidate.push_back(reference.back() + 0.1f);
  }
  gatherer.add(vector(reference), vector(candidate));
  EXPECT_TRUE(gatherer.errors().systematic);
  EXPECT_NEAR(gatherer.errors().mean, 0.1, 1e-6);
  EXPECT_NEAR(gatherer.shift().wasserstein_1, 0.1, 1e-6);
}

TEST(Errors, AlternatingErrorsAreRandom) {
  DistributionGatherer gatherer;
  std::vector<float> reference(100, 1.0f), candidate;
  for (int i = 0; i < 100; ++i) candidate.push_back(i % 2 == 0 ? 1.1f : 0.9f);
  gatherer.add(vector(reference), vector(candidate));
  EXPECT_FALSE(gatherer.errors().systematic);
  EXPECT_FALSE(gatherer.errors().exact);
}

}  // namespace
}  // namespace edgewright
