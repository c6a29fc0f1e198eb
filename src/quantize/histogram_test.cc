#include "quantize/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace edgewright {
namespace {

std::vector<float> normal_numbers(size_t count, float scale, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> numbers(count);
  for (float& x : numbers) x = normal(generator);
  return numbers;
}

uint64_t total(const Histogram& histogram) {
  uint64_t sum = 0;
  for (int bin = 0; bin < Histogram::kBins; ++bin) sum += histogram.bin_count(bin);
  return sum;
}

TEST(HistogramTest, CountsEveryNumberInTheBinThatHoldsIt) {
  Histogram histogram;
  const std::vector<float> numbers = normal_numbers(5000, 3, 1);
  ASSERT_TRUE(histogram.add(numbers).ok());
  EXPECT_EQ(total(histogram), numbers.size());
  const double half = histogram.bin_width() / 2;
  for (int bin = 0; bin < Histogram::kBins; ++bin) {
    uint64_t expected = 0;
    for (const float x : numbers) {
      const double center = histogram.bin_center(bin);
      expected += x >= center - half && x < center + half ? 1 : 0;
    }
    ASSERT_EQ(histogram.bin_count(bin), expected) << "bin " << bin;
  }
}

// The same numbers in another order and in other portions: the same counts, though the range grew
// on another way.
TEST(HistogramTest, DoesNotDependOnOrder) {
  std::vector<float> numbers = normal_numbers(3000, 0.01f, 2);
  const std::vector<float> large = normal_numbers(3000, 1000, 3);
  Histogram small_first, large_first;
  ASSERT_TRUE(small_first.add(numbers).ok());
  ASSERT_TRUE(small_first.add(large).ok());
  ASSERT_TRUE(large_first.add(large).ok());
  ASSERT_TRUE(large_first.add(std::span(numbers).first(1)).ok());
  ASSERT_TRUE(large_first.add(std::span(numbers).subspan(1)).ok());
  ASSERT_EQ(small_first.bin_width(), large_first.bin_width());
  EXPECT_EQ(small_first.min(), large_first.min());
  EXPECT_EQ(small_first.max(), large_first.max());
  for (int bin = 0; bin < Histogram::kBins; ++bin) {
    ASSERT_EQ(small_first.bin_center(bin), large_first.bin_center(bin));
    ASSERT_EQ(small_first.bin_count(bin), large_first.bin_count(bin));
  }
}

TEST(HistogramTest, ZerosAreCountedApartAndConstantsHaveABin) {
  Histogram histogram;
  ASSERT_TRUE(histogram.add(std::vector<float>(10, 0.0f)).ok());
  EXPECT_EQ(histogram.zeros(), 10u);
  EXPECT_EQ(histogram.max(), 0);
  ASSERT_TRUE(histogram.add(std::vector<float>(5, 7.5f)).ok());
  EXPECT_EQ(histogram.count(), 15u);
  EXPECT_EQ(histogram.zeros(), 10u);
  EXPECT_EQ(total(histogram), 15u);
  // Zero stays within the bins, so that [0, 7.5] is covered.
  EXPECT_LE(histogram.bin_center(0) - histogram.bin_width() / 2, 0);
}

TEST(HistogramTest, SmallestAndLargestFloatsFit) {
  Histogram histogram;
  const float tiny = std::numeric_limits<float>::denorm_min();
  const float huge = std::numeric_limits<float>::max();
  ASSERT_TRUE(histogram.add(std::vector<float>{tiny, -tiny}).ok());
  ASSERT_TRUE(histogram.add(std::vector<float>{huge, -huge}).ok());
  EXPECT_EQ(total(histogram), 4u);
  EXPECT_EQ(histogram.min(), -huge);
}

TEST(HistogramTest, RefusesNanAndInfinity) {
  Histogram histogram;
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const Status status = histogram.add(std::vector<float>{1, 2, bad, 4});
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(status.error().message, testing::HasSubstr("element 2"));
  }
  EXPECT_EQ(histogram.count(), 0u);
}

TEST(HistogramTest, AveragesTheExtremesOfBlocks) {
  Histogram histogram;
  histogram.set_averaging_factor(0.5);
  // Until a block is full, its extremes so far.
  ASSERT_TRUE(histogram.add(std::vector<float>{-1, 4}).ok());
  ASSERT_TRUE(histogram.add(std::vector<float>{0, 2}).ok());
  EXPECT_EQ(histogram.average_min(), -1);
  EXPECT_EQ(histogram.average_max(), 4);
  const auto fill = [&](float low, float high, int samples) {
    for (int i = 0; i < samples; ++i) {
      ASSERT_TRUE(histogram.add(std::vector<float>{low, high}).ok());
    }
  };
  fill(0, 1, Histogram::kBlockSamples - 2);
  fill(-3, 2, Histogram::kBlockSamples);
  EXPECT_EQ(histogram.average_min(), -2);
  EXPECT_EQ(histogram.average_max(), 3);
  // A block that has only begun does not count beside full ones.
  fill(-100, 100, 1);
  EXPECT_EQ(histogram.average_min(), -2);
  EXPECT_EQ(histogram.average_max(), 3);
}

TEST(HistogramTest, SurvivesJson) {
  Histogram histogram;
  ASSERT_TRUE(histogram.add(normal_numbers(100, 2, 5)).ok());
  const auto copy = Histogram::from_json(histogram.to_json());
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(copy->to_json(), histogram.to_json());
  Json broken = histogram.to_json();
  broken["count"] = 99;
  EXPECT_FALSE(Histogram::from_json(broken).ok());
  broken.erase("counts");
  EXPECT_FALSE(Histogram::from_json(broken).ok());
}

}  // namespace
}  // namespace edgewright
