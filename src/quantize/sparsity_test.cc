#include "quantize/sparsity.h"

#include <gtest/gtest.h>

#include <random>

namespace edgewright {
namespace {

constexpr int64_t kRows = 64, kColumns = 8;

std::vector<float> normal_numbers(int64_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& x : numbers) x = normal(generator);
  return numbers;
}

// Neighbouring inputs nearly equal: what one weight loses another can take over.
InputMoments paired_moments() {
  InputMoments moments;
  moments.size = kRows;
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t j = 0; j < kRows; ++j) {
      moments.sums.push_back(i == j ? 1.0 : i / 2 == j / 2 ? 0.95 : 0.1);
    }
  }
  return moments;
}

double error(const std::vector<float>& a, const std::vector<float>& b,
             const InputMoments& moments) {
  double sum = 0;
  for (int64_t column = 0; column < kColumns; ++column) {
    for (int64_t i = 0; i < kRows; ++i) {
      for (int64_t j = 0; j < kRows; ++j) {
        const auto x = static_cast<size_t>(i * kColumns + column);
        const auto y = static_cast<size_t>(j * kColumns + column);
        sum += (static_cast<double>(a[x]) - b[x]) * (static_cast<double>(a[y]) - b[y]) *
               moments.sums[static_cast<size_t>(i * kRows + j)];
      }
    }
  }
  return sum;
}

TEST(SparsityTest, TwoOfFourAreLeft) {
  const std::vector<float> weights = normal_numbers(kRows * kColumns, 1);
  const InputMoments moments = paired_moments();
  for (const InputMoments* known : {static_cast<const InputMoments*>(nullptr), &moments}) {
    const auto pruned = prune(weights, kRows, kColumns, {2, 4, 0}, known);
    EXPECT_EQ(sparsity_of(pruned), 0.5);
    for (int64_t block = 0; block < kRows; block += 4) {
      for (int64_t column = 0; column < kColumns; ++column) {
        int left = 0;
        for (int64_t row = block; row < block + 4; ++row) {
          left += pruned[static_cast<size_t>(row * kColumns + column)] != 0 ? 1 : 0;
        }
        EXPECT_EQ(left, 2);
      }
    }
  }
}

TEST(SparsityTest, OtherRowsMakeUpForTheLoss) {
  const std::vector<float> weights = normal_numbers(kRows * kColumns, 2);
  const InputMoments moments = paired_moments();
  for (const SparsityPattern& pattern : {SparsityPattern{2, 4, 0}, SparsityPattern{2, 4, 0.5}}) {
    const auto plain = prune(weights, kRows, kColumns, pattern, nullptr);
    const auto updated = prune(weights, kRows, kColumns, pattern, &moments);
    EXPECT_NEAR(sparsity_of(updated), 0.5, 0.01);
    EXPECT_LT(error(weights, updated, moments), 0.6 * error(weights, plain, moments));
  }
}

TEST(SparsityTest, TheSmallestMagnitudesGoWithoutSamples) {
  const std::vector<float> weights = {4, -1, 2, -3, 0.5f, 6, 7, -8};
  const auto pruned = prune(weights, 4, 2, {2, 4, 0.5}, nullptr);
  EXPECT_EQ(pruned, (std::vector<float>{4, 0, 0, 0, 0, 6, 7, -8}));
}

}  // namespace
}  // namespace edgewright
