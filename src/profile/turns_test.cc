#include "profile/turns.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

constexpr double kOwn_us[] = {100, 140, 90};
constexpr double kPace[] = {1, 1.3, 0.8, 2, 1.1, 1, 0.9};

std::vector<std::vector<double>> table() {
  std::vector<std::vector<double>> rounds;
  for (const double pace : kPace) {
    std::vector<double>& round = rounds.emplace_back();
    for (const double own_us : kOwn_us) round.push_back(own_us * pace);
  }
  return rounds;
}

void expect_own(const std::vector<double>& found) {
  ASSERT_EQ(found.size(), std::size(kOwn_us));
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], kOwn_us[i], 1e-9);
}

TEST(Turns, WhatARoundHasInCommonIsTakenOff) { expect_own(without_pace(table())); }

TEST(Turns, SingleDisturbedSlicesDoNotCount) {
  auto rounds = table();
  rounds[1][0] *= 3;
  rounds[4][1] *= 1.5;
  rounds[5][2] *= 10;
  expect_own(without_pace(rounds));
}

TEST(Turns, WhatCameLaterIsComparedInItsOwnRounds) {
  auto rounds = table();
  for (size_t row = 0; row < 3; ++row) rounds[row].pop_back();
  expect_own(without_pace(rounds));
}

TEST(Turns, EachHasItsTurnInEveryRoundFromItsFirstOn) {
  Turns turns(0);
  std::string order;
  const auto noting = [&order](char letter) {
    return [&order, letter]() -> Status {
      order += letter;
      return {};
    };
  };
  EXPECT_EQ(turns.add(noting('a')), 0U);
  EXPECT_EQ(turns.add(noting('b')), 1U);
  ASSERT_TRUE(turns.run_rounds(0, 2).ok());
  EXPECT_EQ(turns.add(noting('c')), 2U);
  ASSERT_TRUE(turns.run_rounds(0, 1).ok());
  EXPECT_EQ(order, "aabbbbaaaabbcc");
  EXPECT_EQ(turns.typical_us().size(), 3U);
}

TEST(Turns, AFailureEndsTheRound) {
  Turns turns(0);
  turns.add([]() -> Status { return internal_error("no"); });
  EXPECT_FALSE(turns.run_rounds(0, 1).ok());
}

}  // namespace
}  // namespace edgewright
