#include "quantize/calibrator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace edgewright {
namespace {

Histogram histogram_of(const std::vector<float>& numbers) {
  Histogram histogram;
  EXPECT_TRUE(histogram.add(numbers).ok());
  return histogram;
}

// A normal distribution with one outlier far away.
std::vector<float> with_outlier(float outlier) {
  std::mt19937 generator(7);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> numbers(20000);
  for (float& x : numbers) x = normal(generator);
  numbers.push_back(outlier);
  return numbers;
}

ValueRange range_of(std::string_view name, const Histogram& seen) {
  return find_calibrator(name)->range(seen, Scheme(), CalibratorOptions());
}

double error_of(const std::vector<float>& numbers, const QuantParams& params) {
  double sum = 0;
  for (const float x : numbers) sum += std::pow(static_cast<double>(x) - params.round(x), 2);
  return sum;
}

TEST(CalibratorTest, MinMaxIsExact) {
  const Histogram seen = histogram_of({-1.25f, 0.5f, 3.75f});
  EXPECT_EQ(range_of("min-max", seen), (ValueRange{-1.25, 3.75}));
}

TEST(CalibratorTest, PercentileLeavesOutTheOutlier) {
  const Histogram seen = histogram_of(with_outlier(1000));
  const ValueRange range = range_of("percentile", seen);
  EXPECT_LT(range.high, 6);
  EXPECT_GT(range.high, 3);
  EXPECT_GT(range.low, -6);
}

TEST(CalibratorTest, MseHasLessErrorThanMinMaxOnTheNumbersThemselves) {
  const std::vector<float> numbers = with_outlier(20);
  const Histogram seen = histogram_of(numbers);
  const Scheme scheme;
  const double whole = error_of(numbers, activation_params(range_of("min-max", seen), scheme));
  const double best = error_of(numbers, activation_params(range_of("mse", seen), scheme));
  EXPECT_LE(best, whole);
}

// The estimate from bins is that of the numbers themselves, up to the width of a bin.
TEST(CalibratorTest, SquaredErrorOfBinsIsThatOfTheNumbers) {
  const std::vector<float> numbers = with_outlier(5);
  const Histogram seen = histogram_of(numbers);
  const QuantParams params = activation_params({-2, 2.5}, Scheme());
  EXPECT_NEAR(squared_error(seen, params) / error_of(numbers, params), 1, 0.02);
}

// Half a normal distribution and a thin tail: clipping the tail is closer than wide steps.
TEST(CalibratorTest, EntropyClipsAThinTail) {
  std::vector<float> numbers = with_outlier(40);
  for (float& x : numbers) x = std::abs(x);
  const ValueRange range = range_of("entropy", histogram_of(numbers));
  EXPECT_LT(range.high, 20);
  EXPECT_GT(range.high, 2);
}

TEST(CalibratorTest, EveryCalibratorTakesConstantsAndZeros) {
  for (const Calibrator& calibrator : calibrators()) {
    for (const float constant : {0.0f, 3.0f, -2.0f}) {
      const Histogram seen = histogram_of(std::vector<float>(64, constant));
      const ValueRange range = calibrator.range(seen, Scheme(), CalibratorOptions());
      const QuantParams params = activation_params(range, Scheme());
      EXPECT_NEAR(params.round(constant), constant, std::abs(constant) / 200)
          << calibrator.name << " of " << constant;
      EXPECT_GT(params.scale, 0);
    }
  }
}

}  // namespace
}  // namespace edgewright
