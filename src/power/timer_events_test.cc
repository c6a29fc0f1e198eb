#include "power/timer_events.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

constexpr int64_t kUs = 1000;

// Clock gating, core off, cluster off, as on sm8250.
TimerEventsGovernor governor() {
  return TimerEventsGovernor({{0, 1 * kUs}, {3'934 * kUs, 891 * kUs}, {9'987 * kUs, 9'826 * kUs}});
}

TEST(TimerEvents, TakesTheDeepestStateThatTheTimerAllows) {
  auto teo = governor();
  EXPECT_EQ(teo.select(1'000 * kUs), 0);
  EXPECT_EQ(teo.select(5'000 * kUs), 1);
  EXPECT_EQ(teo.select(50'000 * kUs), 2);
  EXPECT_EQ(teo.select(50'000 * kUs, 1'000 * kUs), 1);  // the exit of the deepest is too slow
}

// Rule 2 of the head comment of teo.c: when sleeps are cut short more often than not, a state
// whose residency they did reach is taken.
TEST(TimerEvents, LearnsThatSleepsAreCutShort) {
  auto teo = governor();
  for (int i = 0; i < 5; ++i) {
    teo.select(50'000 * kUs);
    teo.reflect(5'500 * kUs, false);  // long enough for state 1 after half its exit latency
  }
  EXPECT_EQ(teo.select(50'000 * kUs), 1);
  for (int i = 0; i < 9; ++i) {
    teo.select(50'000 * kUs);
    teo.reflect(100 * kUs, false);
  }
  EXPECT_EQ(teo.select(50'000 * kUs), 0);
}

TEST(TimerEvents, ForgetsWhatNoLongerHolds) {
  auto teo = governor();
  for (int i = 0; i < 9; ++i) {
    teo.select(50'000 * kUs);
    teo.reflect(100 * kUs, false);
  }
  for (int i = 0; i < 20; ++i) {
    teo.select(50'000 * kUs);
    teo.reflect(50'000 * kUs, true);
  }
  EXPECT_EQ(teo.select(50'000 * kUs), 2);
}

TEST(IdleEnergy, CountsTheWayInAndOutAtFullPower) {
  EXPECT_DOUBLE_EQ(idle_energy_uj(10'000, 500, 500, 100'000, 1'000), 100 + 9);
  EXPECT_DOUBLE_EQ(idle_energy_uj(400, 500, 500, 100'000, 1'000), 40);
}

}  // namespace
}  // namespace edgewright
