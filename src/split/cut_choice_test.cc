#include "split/cut_choice.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

std::vector<ReadyCut> cuts() {
  return {{"input", 0, 10000, 500, 12288, 40},
          {"middle", 5000, 5000, 250, 4096, 40},
          {"output", 10000, 0, 0, 0, 0, true}};
}

TEST(CutChoice, LatencyIsTheSumOfItsParts) {
  const LinkEstimate link{8, 16, 1000, 2};
  EXPECT_DOUBLE_EQ(exchange_us(cuts()[1], link), 1000 + 4096 + 20 + 500);
  EXPECT_DOUBLE_EQ(latency_us(cuts()[1], link), 5000 + 5616);
  EXPECT_DOUBLE_EQ(latency_us(cuts()[2], link), 10000);
}

TEST(CutChoice, FollowsTheLink) {
  CutChoice choice(cuts(), {1000, 1000, 100, 1});
  EXPECT_EQ(choice.cut().name, "input");
  EXPECT_TRUE(choice.update({10, 10, 100, 1}));
  EXPECT_EQ(choice.cut().name, "middle");
  EXPECT_TRUE(choice.update({0.1, 0.1, 100, 1}));
  EXPECT_EQ(choice.cut().name, "output");
}

TEST(CutChoice, FollowsTheServersLoad) {
  CutChoice choice(cuts(), {1000, 1000, 100, 1});
  EXPECT_TRUE(choice.update({1000, 1000, 100, 50}));
  EXPECT_EQ(choice.cut().name, "output");
}

TEST(CutChoice, StaysWhereLittleIsGained) {
  // At 13.8 Mbit/s input and middle cost the same.
  CutChoice choice(cuts(), {20, 20, 100, 1});
  EXPECT_EQ(choice.cut().name, "input");
  EXPECT_FALSE(choice.update({14, 14, 100, 1}));
  EXPECT_FALSE(choice.update({16, 16, 100, 1}));
  EXPECT_TRUE(choice.update({9, 9, 100, 1}));
  EXPECT_FALSE(choice.update({15.5, 15.5, 100, 1}));
}

TEST(CutChoice, ThroughputIsThatOfTheSlowestStep) {
  // Sending the input takes 9.8 ms a request, the device's half of the middle cut 5 ms.
  const LinkEstimate link{10, 10, 100, 1};
  EXPECT_DOUBLE_EQ(bottleneck_us(cuts()[0], link), 8 * 12288 / 10.0);
  EXPECT_DOUBLE_EQ(bottleneck_us(cuts()[1], link), 5000);
  EXPECT_DOUBLE_EQ(bottleneck_us(cuts()[2], link), 10000);
  // On a long way one answer comes soonest from the device, and most a second by the middle cut.
  const LinkEstimate far{10, 10, 50000, 1};
  EXPECT_EQ(best_cut(cuts(), far, CutGoal::kLatency), 2U);
  EXPECT_EQ(best_cut(cuts(), far, CutGoal::kThroughput), 1U);
  CutChoice choice(cuts(), far, 0.1, std::nullopt, CutGoal::kThroughput);
  EXPECT_EQ(choice.cut().name, "middle");
  EXPECT_TRUE(choice.update({1, 1, 50000, 1}));
  EXPECT_EQ(choice.cut().name, "output");
}

}  // namespace
}  // namespace edgewright
