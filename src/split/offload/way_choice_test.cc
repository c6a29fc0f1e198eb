#include "split/offload/way_choice.h"

#include <gtest/gtest.h>

#include <vector>

namespace edgewright {
namespace {

// Where a request is quickest depends on the rate: at 20 Mbit/s the server, at 1 the device.
std::vector<ReadyCut> cuts() {
  return {{"input", 0, 30000, 2000, 20000, 40},
          {"middle", 12000, 18000, 1000, 5000, 40},
          {"output", 30000, 0, 0, 0, 0, true}};
}

// The latency on the link as it really is.
double latency_on(const ReadyCut& cut, const LinkEstimate& link) { return latency_us(cut, link); }

std::vector<size_t> chosen_on(WayChoice& choice, const LinkEstimate& told, const LinkEstimate& real,
                              int requests) {
  std::vector<size_t> counts(cuts().size(), 0);
  for (int i = 0; i < requests; ++i) {
    const auto ways = cuts();
    const WayChoice::Choice chosen = choice.choose(ways, told);
    ++counts[chosen.way];
    choice.learn(chosen, ways, told, latency_on(ways[chosen.way], real),
                 exchange_us(ways[chosen.way], real));
  }
  return counts;
}

WayChoice lin_ucb(const WayCosts& costs = {}) {
  return {make_lin_ucb(cuts().size(), WayChoice::kFeatures), costs};
}

TEST(WayChoice, FollowsTheLinkThatItIsToldOf) {
  WayChoice choice = lin_ucb();
  const LinkEstimate quick{20, 20, 2000, 1}, slow{1, 1, 2000, 1};
  chosen_on(choice, quick, quick, 50);
  EXPECT_GT(chosen_on(choice, quick, quick, 200)[0], 180U);
  chosen_on(choice, slow, slow, 50);
  EXPECT_GT(chosen_on(choice, slow, slow, 200)[2], 180U);
}

TEST(WayChoice, LearnsWhatTheEstimateDoesNotSay) {
  // The estimate says 20 Mbit/s; a queue behind the server makes each exchange 60 ms longer.
  WayChoice choice = lin_ucb();
  const LinkEstimate told{20, 20, 2000, 1}, real{20, 20, 62000, 1};
  chosen_on(choice, told, real, 50);
  EXPECT_GT(chosen_on(choice, told, real, 200)[2], 180U);
}

TEST(WayChoice, WeightsChangeTheChoice) {
  // On this link the middle cut is quickest; whose device's time is dear sends the input.
  const LinkEstimate link{5, 5, 1000, 1};
  WayChoice by_time = lin_ucb();
  chosen_on(by_time, link, link, 100);
  EXPECT_GT(chosen_on(by_time, link, link, 100)[1], 90U);
  WayCosts costs;
  costs.weights.per_device_ms = 5;
  WayChoice by_device = lin_ucb(costs);
  chosen_on(by_device, link, link, 100);
  EXPECT_GT(chosen_on(by_device, link, link, 100)[0], 90U);
  EXPECT_GT(by_device.mean_cost(), 0);
}

TEST(WayChoice, RacesWhereTheServerIsUnsure) {
  // Every other exchange takes 3 s: alone the server is worse than the device, in a race both win.
  const LinkEstimate told{20, 20, 2000, 1}, broken{20, 20, 3e6, 1};
  const auto ways = cuts();
  ASSERT_EQ(WayChoice::count(ways, true), 5U);
  WayChoice choice({make_lin_ucb(5, WayChoice::kFeatures)}, {}, true);
  int races = 0;
  for (int i = 0; i < 300; ++i) {
    const auto chosen = choice.choose(ways, told);
    const ReadyCut& cut = ways[chosen.way];
    const double alone_us = latency_us(cut, i % 2 == 0 ? told : broken);
    const double raced_us = std::min(alone_us, cut.device_us + cut.rest_us);
    choice.learn(chosen, ways, told, chosen.is_raced ? raced_us : alone_us, std::nullopt);
    if (chosen.is_raced) choice.learn_unraced(chosen, ways, told, alone_us);
    races += i >= 100 && chosen.is_raced ? 1 : 0;
  }
  EXPECT_GT(races, 180);
  // Whose device's time is dear does not race.
  WayCosts costs;
  costs.weights.per_device_ms = 5;
  WayChoice dear({make_lin_ucb(5, WayChoice::kFeatures)}, costs, true);
  const LinkEstimate good{20, 20, 2000, 1};
  races = 0;
  for (int i = 0; i < 300; ++i) {
    const auto chosen = dear.choose(ways, good);
    const ReadyCut& cut = ways[chosen.way];
    const double alone_us = latency_us(cut, good);
    dear.learn(chosen, ways, good, alone_us, std::nullopt);
    races += i >= 100 && chosen.is_raced ? 1 : 0;
  }
  EXPECT_LT(races, 20);
}

TEST(WayChoice, SeveralMayBeUnderWay) {
  // Chosen two at a time and learned from in the other order: still what is best.
  WayChoice choice = lin_ucb();
  const LinkEstimate link{20, 20, 2000, 1};
  const auto ways = cuts();
  size_t best = 0;
  for (int i = 0; i < 200; ++i) {
    const auto first = choice.choose(ways, link), second = choice.choose(ways, link);
    for (const auto* done : {&second, &first}) {
      choice.learn(*done, ways, link, latency_on(ways[done->way], link), std::nullopt);
      best += i >= 50 && done->way == 0 ? 1 : 0;
    }
  }
  EXPECT_GT(best, 270U);
}

}  // namespace
}  // namespace edgewright
