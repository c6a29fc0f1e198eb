#include "kernels/signal/mixed_radix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace edgewright::reference {
namespace {

// Every length up to 40 (primes, squares, mixed factors) against the definition.
TEST(MixedRadix, AgreesWithTheDefinition) {
  for (int64_t n = 1; n <= 40; ++n) {
    const auto plan = MixedRadix<double>::plan(n);
    ASSERT_TRUE(plan.ok());
    std::vector<Complex<double>> x, work(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) x.push_back({std::sin(3.0 * i + 1), std::cos(5.0 * i)});
    auto found = x;
    plan->run(found.data(), work.data(), true);
    for (int64_t k = 0; k < n; ++k) {
      double re = 0;
      double im = 0;
      for (int64_t i = 0; i < n; ++i) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(i * k % n) / n;
        const auto& value = x[static_cast<size_t>(i)];
        re += value.re * std::cos(angle) - value.im * std::sin(angle);
        im += value.re * std::sin(angle) + value.im * std::cos(angle);
      }
      EXPECT_NEAR(found[static_cast<size_t>(k)].re, re, 1e-12) << n << " " << k;
      EXPECT_NEAR(found[static_cast<size_t>(k)].im, im, 1e-12) << n << " " << k;
    }
  }
}

TEST(MixedRadix, InverseUndoesForward) {
  const auto plan = MixedRadix<float>::plan(12);
  ASSERT_TRUE(plan.ok());
  std::vector<Complex<float>> x(12), work(12);
  x[3] = {1, -2};
  plan->run(x.data(), work.data(), false);
  plan->run(x.data(), work.data(), true);
  EXPECT_NEAR(x[3].re, 12, 1e-5);
  EXPECT_NEAR(x[3].im, -24, 1e-5);
  EXPECT_NEAR(x[4].re, 0, 1e-5);
}

TEST(MixedRadix, RefusesHugeLengthsAndPrimes) {
  for (const int64_t n : {int64_t{0}, int64_t{-4}, int64_t{1} << 40, int64_t{1000003}}) {
    const auto plan = MixedRadix<float>::plan(n);
    ASSERT_FALSE(plan.ok());
    EXPECT_EQ(plan.error().kind, ErrorKind::kUnsupported);
  }
  EXPECT_TRUE(MixedRadix<float>::plan(1 << 20).ok());
}

}  // namespace
}  // namespace edgewright::reference
