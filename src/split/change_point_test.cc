#include "split/change_point.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace edgewright {
namespace {

TEST(ChangePoint, NoiseIsNoChange) {
  ChangePoint change;
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> noise(0, 0.08);
  int changes = 0;
  for (int i = 0; i < 10000; ++i) changes += change.observe(20 * noise(random), 20) ? 1 : 0;
  EXPECT_EQ(changes, 0);
}

TEST(ChangePoint, OneOutlierIsNoChange) {
  ChangePoint change;
  EXPECT_FALSE(change.observe(1000, 10));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(change.observe(10, 10));
}

TEST(ChangePoint, TwiceAsSlowIsSeenAtTheSecondRequest) {
  ChangePoint change;
  EXPECT_FALSE(change.observe(20, 10));
  EXPECT_TRUE(change.observe(20, 10));
}

TEST(ChangePoint, QuickerIsAChangeToo) {
  ChangePoint change;
  bool seen = false;
  for (int i = 0; i < 4; ++i) seen = change.observe(6, 10) || seen;
  EXPECT_TRUE(seen);
}

TEST(ChangePoint, SmallLastingDeviationsAddUp) {
  ChangePoint change;
  int needed = 1;
  while (!change.observe(10 * std::exp(0.25), 10)) ++needed;
  // Each counts 0.1 beyond the slack of 0.15.
  EXPECT_EQ(needed, 7);
}

}  // namespace
}  // namespace edgewright
