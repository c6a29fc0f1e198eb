#include "split/speculation.h"

#include <gtest/gtest.h>

#include <random>

namespace edgewright {
namespace {

TEST(Speculation, IsOffAtEightyMilliseconds) {
  const SpeculationCosts costs{10, 30, 0, 80};
  const SpeculationPlan plan = plan_speculation(costs, 0.7);
  EXPECT_EQ(plan.length, 0);
  EXPECT_EQ(plan.speedup, 1);
  EXPECT_LT(plan.best_speedup, 1);
  // By hand: four drafted tokens give (1 - 0.7^5) / 0.3 = 2.7731 in 150 ms.
  EXPECT_NEAR(expected_tokens(0.7, 4), 2.7731, 1e-6);
  EXPECT_EQ(round_ms(costs, 4), 150);
}

TEST(Speculation, PaysWithoutALink) {
  // By hand: two tokens: 2.19 in 50 ms; three: 2.533 in 60 ms (23.69 ms each); four: 2.7731 in 70.
  const SpeculationPlan plan = plan_speculation({10, 30, 0, 0}, 0.7);
  EXPECT_EQ(plan.length, 2);
  EXPECT_NEAR(plan.ms_per_token, 50 / 2.19, 1e-9);
  EXPECT_NEAR(plan.speedup, 30 / (50 / 2.19), 1e-9);
}

TEST(Speculation, BestLengthGrowsWithDelayAndAcceptance) {
  int before = 0;
  for (const double round_trip : {0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0}) {
    const int length = plan_speculation({10, 30, 1, round_trip}, 0.8).best_length;
    EXPECT_GE(length, before) << round_trip;
    before = length;
  }
  EXPECT_GT(before, plan_speculation({10, 30, 1, 0}, 0.8).best_length);
  EXPECT_GT(plan_speculation({1, 30, 1, 20}, 0.95).length,
            plan_speculation({1, 30, 1, 20}, 0.6).length);
}

// The formula against rounds that are played.
TEST(Speculation, ExpectedTokensAreWhatRoundsGive) {
  std::mt19937_64 random(1);
  std::bernoulli_distribution accepted(0.7);
  for (const int length : {1, 3, 8}) {
    double tokens = 0;
    const int rounds = 100000;
    for (int round = 0; round < rounds; ++round) {
      int kept = 0;
      while (kept < length && accepted(random)) ++kept;
      tokens += kept + 1;
    }
    EXPECT_NEAR(tokens / rounds, expected_tokens(0.7, length), 0.02);
  }
}

TEST(SpeculationControl, FollowsAcceptanceAndSwitchesOff) {
  SpeculationControl control({2, 30, 1, 10}, 0.8);
  const int first = control.length();
  EXPECT_GT(first, 2);
  for (int round = 0; round < 200; ++round) control.observe(control.length(), 0);
  // Once it is off nothing is drafted, so nothing more is learnt.
  EXPECT_LT(control.acceptance(), 0.4);
  EXPECT_EQ(control.length(), 0);
  control.set_costs({2, 30, 1, 10});
  EXPECT_EQ(control.length(), 0);
}

}  // namespace
}  // namespace edgewright
