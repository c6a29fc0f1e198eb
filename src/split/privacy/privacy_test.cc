#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <random>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "split/privacy/accountant.h"
#include "split/privacy/gaussian.h"
#include "split/privacy/noise.h"
#include "split/privacy/random.h"
#include "split/privacy/seal.h"
#include "split/privacy/shares.h"

namespace edgewright {
namespace {

// Of the analytic Gaussian mechanism, equal to dp-accounting's and to the authors' own program.
TEST(Gaussian, SigmasToSixDigits) {
  const std::tuple<double, double, double> cases[] = {
      {0.1, 1e-5, 30.749566}, {0.5, 1e-5, 7.031827}, {1, 1e-5, 3.730632}, {1, 1e-6, 4.224679},
      {2, 1e-5, 1.993812},    {4, 1e-5, 1.081162},   {8, 1e-5, 0.600229}, {10, 1e-5, 0.499889}};
  for (const auto& [epsilon, delta, sigma] : cases) {
    const auto found = analytic_sigma({epsilon, delta}, 1);
    ASSERT_TRUE(found.ok());
    EXPECT_NEAR(*found, sigma, 0.6e-6) << epsilon << " " << delta;
    EXPECT_NEAR(*analytic_sigma({epsilon, delta}, 3), 3 * *found, 1e-9);
    EXPECT_NEAR(gaussian_epsilon(*found, 1, delta), epsilon, 1e-6);
  }
}

TEST(Gaussian, ClassicalFormulaIsRefusedFromOneOn) {
  const auto half = classical_sigma({0.5, 1e-5}, 1);
  ASSERT_TRUE(half.ok());
  EXPECT_NEAR(*half, std::sqrt(2 * std::log(1.25e5)) / 0.5, 1e-12);
  EXPECT_GT(*half, *analytic_sigma({0.5, 1e-5}, 1));
  EXPECT_EQ(classical_sigma({1, 1e-5}, 1).error().kind, ErrorKind::kUsage);
  for (const PrivacyBound bound : {PrivacyBound{0, 0.1}, {1, 0}, {1, 1}, {-1, 0.1}}) {
    EXPECT_FALSE(analytic_sigma(bound, 1).ok());
  }
}

TEST(Accountant, HundredReleasesOfSigmaFour) {
  PrivacyLoss loss;
  loss.add(4, 1, 100);
  EXPECT_NEAR(composed_epsilon(Accounting::kExact, loss, 1e-5), 13.20671, 1e-5);
  EXPECT_NEAR(composed_epsilon(Accounting::kRdp, loss, 1e-5), 14.13055, 1e-5);
  EXPECT_NEAR(composed_epsilon(Accounting::kZcdp, loss, 1e-5), 15.12131, 1e-5);
}

TEST(Accountant, AllocationKeepsTheWholeBound) {
  const PrivacyBound bound{3, 1e-5};
  const auto sigmas = allocate_noise(bound, {1, 2, 0.5}, {1, 1, 2});
  ASSERT_TRUE(sigmas.ok());
  PrivacyLoss loss;
  loss.add((*sigmas)[0], 1);
  loss.add((*sigmas)[1], 2);
  loss.add((*sigmas)[2], 0.5);
  EXPECT_NEAR(composed_epsilon(Accounting::kExact, loss, 1e-5), 3, 1e-6);
  EXPECT_GT((*sigmas)[0] / 1, (*sigmas)[2] / 0.5);
}

TEST(Budget, StopsWhenSpentAndSurvivesARestart) {
  const std::string path = testing::TempDir() + "budget.json";
  std::filesystem::remove(path);
  auto budget = PrivacyBudget::create(path, {13.3, 1e-5});
  ASSERT_TRUE(budget.ok()) << budget.error().message;
  // As above: a squared ratio of 6.25 makes 13.2, so that six releases of sigma 1 fit.
  EXPECT_EQ(budget->releases_left(1, 1), 6);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(budget->spend(1, 1).ok());
  auto again = PrivacyBudget::open(path);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->loss().releases, 4);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(again->spend(1, 1).ok());
  const std::string before = *read_file(path);
  const Status refused = again->spend(1, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kCheckFailed);
  EXPECT_EQ(*read_file(path), before);
  EXPECT_FALSE(PrivacyBudget::create(path, {1, 1e-5}).ok());
  for (const char* text : {"", "{", "[]", "{\"epsilon\": 1}", "3"}) {
    ASSERT_TRUE(write_file(path, text).ok());
    EXPECT_EQ(PrivacyBudget::open(path).error().kind, ErrorKind::kBadInput) << text;
  }
}

TEST(Noise, IsNormalAndClippingBounds) {
  std::vector<float> values(200000, 1);
  add_noise(values, 2);
  double mean = 0, square = 0, fourth = 0;
  for (const float value : values) {
    const double z = (static_cast<double>(value) - 1) / 2;
    mean += z / 200000;
    square += z * z / 200000;
    fourth += z * z * z * z / 200000;
  }
  // Six standard errors.
  EXPECT_NEAR(mean, 0, 6 / std::sqrt(200000.0));
  EXPECT_NEAR(square, 1, 6 * std::sqrt(2 / 200000.0));
  EXPECT_NEAR(fourth, 3, 6 * std::sqrt(96 / 200000.0));
  std::vector<float> vector = {3, 4};
  EXPECT_NEAR(clip_norm(vector, 1), 5, 1e-9);
  EXPECT_LE(std::hypot(vector[0], vector[1]), 1);
  EXPECT_NEAR(vector[0], 0.6, 1e-5);
}

TEST(Obfuscation, RotationsUndoAndProjectionsShrink) {
  std::vector<float> values(500);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) - 8;
  const RandomRotation rotation(500, 8);
  auto rotated = values;
  rotation.apply(rotated);
  EXPECT_NE(rotated, values);
  rotation.undo(rotated);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(rotated[i], values[i], 1e-4);
  const RandomProjection projection(500, 200);
  const auto projected = projection.apply(values);
  ASSERT_EQ(projected.size(), 200U);
  const auto once = projection.restore(projected);
  // A projection: what is restored projects to the same again.
  const auto again = projection.apply(once);
  for (size_t i = 0; i < again.size(); ++i) ASSERT_NEAR(again[i], projected[i], 1e-3);
}

// Rows are orthonormal: what is restored is the nearest vector with these sums, and no norm grows.
TEST(Obfuscation, SketchesAreProjections) {
  for (const auto& [size, kept] : {std::pair<size_t, size_t>{500, 31}, {64, 64}, {7, 1}}) {
    std::vector<float> values(size);
    for (size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i % 17) - 8;
    const SketchProjection sketch(size, kept);
    const auto sums = sketch.apply(values);
    ASSERT_EQ(sums.size(), kept);
    const auto once = sketch.restore(sums);
    const auto again = sketch.apply(once);
    double norm = 0, rest_dot_once = 0, norm_of_sums = 0;
    for (size_t i = 0; i < kept; ++i) ASSERT_NEAR(again[i], sums[i], 1e-4);
    for (const float sum : sums) norm_of_sums += double{sum} * double{sum};
    for (size_t i = 0; i < size; ++i) {
      norm += double{values[i]} * double{values[i]};
      rest_dot_once += double{values[i] - once[i]} * double{once[i]};
    }
    EXPECT_LE(norm_of_sums, norm * (1 + 1e-6));
    EXPECT_NEAR(rest_dot_once, 0, 1e-4 * norm);
  }
}

TEST(Seal, OpensOnlyUnchangedAndInItsContext) {
  const SealKey key = random_key();
  std::vector<std::byte> plain(1000, std::byte{7});
  const auto sealed = seal(plain, "request 1: x", key);
  EXPECT_EQ(*open_seal(sealed, "request 1: x", key), plain);
  EXPECT_FALSE(open_seal(sealed, "request 2: x", key).ok());
  EXPECT_FALSE(open_seal(sealed, "request 1: x", random_key()).ok());
  EXPECT_NE(seal(plain, "request 1: x", key), sealed);
  for (size_t i = 0; i < sealed.size(); i += 37) {
    auto changed = sealed;
    changed[i] ^= std::byte{1};
    EXPECT_FALSE(open_seal(changed, "request 1: x", key).ok());
  }
  EXPECT_FALSE(open_seal(std::span(sealed).first(20), "request 1: x", key).ok());
}

TEST(Shares, LinearLayersEqualPlainOnes) {
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal;
  const size_t rows = 40, columns = 300;
  std::vector<float> weights(rows * columns), input(columns);
  for (float& value : weights) value = 0.2f * normal(random);
  for (float& value : input) value = normal(random);
  const SharePair w = share(to_ring(weights)), x = share(to_ring(input));
  const Triple triple = make_triple(rows, columns);
  const MaskedOperands first = mask_operands(w.first, x.first, triple.first);
  const MaskedOperands second = mask_operands(w.second, x.second, triple.second);
  const Ring y =
      reveal(reduce_fraction(multiply_share(first, second, triple.first, rows, true), true),
             reduce_fraction(multiply_share(second, first, triple.second, rows, false), false));
  const auto found = from_ring(y);
  for (size_t row = 0; row < rows; ++row) {
    double expected = 0;
    for (size_t column = 0; column < columns; ++column) {
      expected +=
          static_cast<double>(weights[row * columns + column]) * static_cast<double>(input[column]);
    }
    EXPECT_NEAR(found[row], expected, 0x1p-12);
  }
}

// What one server sees is the same whether the input is all zeros or large: its bits are fair
// coins, and no linear guess at the input correlates with it.
TEST(Shares, OneServersViewSaysNothing) {
  const size_t count = 4096;
  std::vector<float> input(count);
  for (size_t i = 0; i < count; ++i) input[i] = i % 2 == 0 ? 100.0f : -100.0f;
  const SharePair shares = share(to_ring(input));
  const Triple triple = make_triple(1, count);
  const Ring weights(count, 0);
  const SharePair w = share(weights);
  const MaskedOperands masked = mask_operands(w.first, shares.first, triple.first);
  for (const Ring* view : {&shares.first, &shares.second, &masked.vector}) {
    double correlation = 0;
    std::array<int, 64> ones{};
    for (size_t i = 0; i < count; ++i) {
      const auto number = static_cast<double>(static_cast<int64_t>((*view)[i])) * 0x1p-63;
      correlation += number * (i % 2 == 0 ? 1 : -1);
      for (size_t bit = 0; bit < 64; ++bit) ones[bit] += static_cast<int>((*view)[i] >> bit & 1);
    }
    // Uniform numbers of variance 1/3: six standard deviations of the sum.
    EXPECT_LT(std::fabs(correlation), 6 * std::sqrt(count / 3.0));
    for (const int bit : ones) EXPECT_NEAR(bit, count / 2.0, 6 * std::sqrt(count / 4.0));
  }
}

// Moments and tail of the standard normal distribution: 3 standard errors of each estimate.
TEST(Noise, IsStandardNormal) {
  constexpr size_t kCount = 4000000;
  std::vector<double> values(kCount);
  secure_normals(values);
  double sum = 0, square = 0, fourth = 0;
  size_t beyond_two = 0, beyond_tail = 0;
  for (const double value : values) {
    sum += value;
    square += value * value;
    fourth += value * value * value * value;
    beyond_two += std::fabs(value) > 2 ? 1 : 0;
    beyond_tail += std::fabs(value) > 3.7 ? 1 : 0;
  }
  const double count = kCount, root = std::sqrt(count);
  EXPECT_NEAR(sum / count, 0, 4 / root);
  EXPECT_NEAR(square / count, 1, 4 * std::sqrt(2.0) / root);
  EXPECT_NEAR(fourth / count, 3, 4 * std::sqrt(96.0) / root);
  for (const auto& [bound, found] : {std::pair(2.0, beyond_two), std::pair(3.7, beyond_tail)}) {
    const double share = 2 * normal_cdf(-bound);
    EXPECT_NEAR(static_cast<double>(found) / count, share, 4 * std::sqrt(share) / root) << bound;
  }
}

// The greatest distance between the empirical distribution and the true one, against the 0.1 %
// point of Kolmogorov's distribution, 1.95.
TEST(Noise, HasNoStepsBetweenLayers) {
  constexpr size_t kCount = 1000000;
  std::vector<double> values(kCount);
  secure_normals(values);
  std::ranges::sort(values);
  double distance = 0;
  for (size_t i = 0; i < kCount; ++i) {
    const double below = static_cast<double>(i) / kCount;
    distance = std::max(distance, std::fabs(normal_cdf(values[i]) - below));
  }
  EXPECT_LT(distance * std::sqrt(static_cast<double>(kCount)), 2.0);
}

TEST(Noise, LiesOnTheGrid) {
  std::vector<float> values(5000, 0.3f);
  add_noise(values, 3);
  const double grid = 2 * 0x1p-20;
  for (const float value : values) {
    const double steps = static_cast<double>(value) / grid;
    EXPECT_EQ(steps, std::round(steps));
  }
}

TEST(Noise, KeyStreamsAreOfDifferentKeys) {
  std::vector<uint64_t> first(100), second(100);
  secure_words(first);
  secure_words(second);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace edgewright
