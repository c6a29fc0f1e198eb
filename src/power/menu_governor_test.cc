#include "power/menu_governor.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

// A stopped clock, and a state for a millisecond and more.
MenuGovernor governor(int64_t exit_ns = 0) {
  return MenuGovernor({{}, {.residency_ns = 1'000'000, .exit_ns = exit_ns}});
}
constexpr int64_t kMs = 1'000'000;

TEST(MenuGovernor, BelievesTheTimerWhereItWakes) {
  MenuGovernor menu = governor(220'000);
  // Eight sleeps of nothing repeat, as in the kernel after its start.
  EXPECT_EQ(menu.select(20 * kMs), 0u);
  EXPECT_EQ(menu.foreseen_us(), 0);
  // Longer than 50 ms is as good as the timer.
  for (int i = 0; i < 8; ++i) {
    menu.select(400 * kMs);
    menu.reflect(400 * kMs);
  }
  EXPECT_EQ(menu.select(20 * kMs), 1u);
  EXPECT_EQ(menu.foreseen_us(), 20'000);
  EXPECT_EQ(menu.select(kMs / 2), 0u);
  EXPECT_EQ(menu.select(20 * kMs, 100'000), 0u);  // leaving it would take too long
}

// Of 8192 in the decade of the timer, every sleep takes an eighth and gives 1024 times the share
// that it lasted. The lengths have no pattern: a deviation of more than a sixth of the mean.
TEST(MenuGovernor, LearnsWhatShareOfTheTimeIsSlept) {
  MenuGovernor menu = governor();
  int64_t factor = 8192;
  for (const int64_t slept_ms : {2, 38, 5, 31, 9, 26, 14, 20}) {
    menu.select(40 * kMs);
    menu.reflect(slept_ms * kMs);
    factor += 1024 * slept_ms / 40 - factor / 8;
  }
  menu.select(40 * kMs);
  EXPECT_EQ(menu.foreseen_us(), (40'000 * factor + 4096) / 8192);
  EXPECT_LT(menu.foreseen_us(), 30'000);
}

TEST(MenuGovernor, FindsWhatRepeats) {
  MenuGovernor menu = governor();
  // 600 us again and again, and two pauses between, which are left out.
  for (const int64_t slept_us : {600, 610, 15'000, 590, 600, 12'000, 600, 600}) {
    menu.select(20 * kMs);
    menu.reflect(slept_us * 1000);
  }
  EXPECT_EQ(menu.select(20 * kMs), 0u);
  EXPECT_EQ(menu.foreseen_us(), 600);
}

}  // namespace
}  // namespace edgewright
