#include "split/percentiles.h"

#include <gtest/gtest.h>

#include "split/solve.h"
#include "split/sweep.h"

namespace edgewright {
namespace {

// Input of 3,000 bytes; one layer, 10 ms on the device and 1 ms on the server; 100 bytes back.
SplitProblem problem_of(const Link& link) {
  SplitProblem problem;
  problem.layers = {{"input", {0, 0}}, {"a", {10000, 1000}, 100}};
  problem.tensors = {{"input", 0, {1}, 3000}};
  problem.hops = {hop_of(link)};
  return problem;
}

TEST(LinkScenarios, FollowARecordedLink) {
  // Two opportunities at 4 ms, one at 8 ms, then anew.
  const auto trace = parse_link_trace("4\n4\n8\n", "t");
  ASSERT_TRUE(trace.ok());
  const Link link = plain_link(8, 2);
  const LinkScenarios scenarios(link, *trace, 8);  // starts at 0, 1, ..., 7 ms
  const auto latencies = scenario_latencies_us(problem_of(link), {0, 1}, scenarios);
  // Two opportunities are needed: up to 4 ms the pair at 4; later the one at 8 and one at 12. Then
  // 2 ms of latency, 1 ms on the server, 100 bytes back at 8 Mbit/s.
  for (size_t start = 0; start < 8; ++start) {
    const double done_ms = start <= 4 ? 4 : 12;
    const double expected_us = 1e3 * (done_ms - static_cast<double>(start)) + 2000 + 1000 + 100;
    EXPECT_NEAR(latencies[start], expected_us, 1e-6) << start;
  }
  for (const double latency_us : scenario_latencies_us(problem_of(link), {0, 0}, scenarios)) {
    EXPECT_EQ(latency_us, 10000);
  }
}

TEST(LinkScenarios, PercentilesCountFromBelow) {
  std::vector<double> values;
  values.reserve(100);
  for (int i = 100; i >= 1; --i) values.push_back(i);
  const LatencySpread spread = spread_of(values);
  EXPECT_EQ(spread.mean_us, 50.5);
  EXPECT_EQ(spread.p50_us, 50);
  EXPECT_EQ(spread.p90_us, 90);
  EXPECT_EQ(spread.p99_us, 99);
}

// On average the link is the better choice, but one state in ten is dreadful.
TEST(LinkScenarios, APercentileMayAskForAnotherCutThanTheMean) {
  std::string text;
  for (int ms = 1; ms <= 900; ++ms) text += std::to_string(ms) + "\n";
  text += "1000\n";
  const auto trace = parse_link_trace(text, "t");
  ASSERT_TRUE(trace.ok());
  const Link link = plain_link(12, 1);
  const SplitProblem problem = problem_of(link);
  const LinkScenarios scenarios(link, *trace, 1000);
  const auto mean_best = minimum_cut(problem);
  ASSERT_TRUE(mean_best.ok());
  EXPECT_EQ(*mean_best, (Placement{0, 1}));
  const std::vector<Placement> others = {*mean_best, {0, 0}};
  EXPECT_EQ(*best_at_percentile(problem, scenarios, 0.5, others), (Placement{0, 1}));
  EXPECT_EQ(*best_at_percentile(problem, scenarios, 0.99, others), (Placement{0, 0}));
}

TEST(CutMap, AgreesWithPlansAtItsPoints) {
  const SplitProblem problem = problem_of(plain_link(8, 2));
  const auto map = cut_map(problem, {1, 10}, {0, 9500});
  ASSERT_TRUE(map.ok());
  // 3,000 bytes take 24 ms at 1 Mbit/s and 2.4 ms at 10.
  EXPECT_EQ(map->cuts[0], (std::vector<std::string>{"output", "input"}));
  EXPECT_EQ(map->cuts[1], (std::vector<std::string>{"output", "output"}));
  EXPECT_NEAR(map->total_us[0][1], 2400 + 1000 + 100, 1e-6);
}

}  // namespace
}  // namespace edgewright
