#include "llm/difficulty.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace edgewright {
namespace {

TEST(Entropy, OfEqualAndOfCertainTokens) {
  const std::vector<float> equal(64, 3.5f);
  EXPECT_NEAR(entropy_of(equal), std::log(64), 1e-9);
  std::vector<float> certain(64, -40.0f);
  certain[7] = 10;
  EXPECT_NEAR(entropy_of(certain), 0, 1e-9);
  const std::array<float, 2> odds{0, std::log(3.0f)};  // a quarter and three quarters
  EXPECT_NEAR(entropy_of(odds), -(0.25 * std::log(0.25) + 0.75 * std::log(0.75)), 1e-6);
}

TEST(Difficulty, SwitchesWithHysteresis) {
  const std::vector<float> hard(64, 0.0f);  // 4.16 nats
  std::vector<float> easy(64, -40.0f);
  easy[0] = 0;
  Difficulty difficulty(1.0);
  EXPECT_FALSE(difficulty.easy());
  difficulty.see(hard);
  EXPECT_FALSE(difficulty.easy());
  difficulty.see(easy);  // 2.08
  difficulty.see(easy);  // 1.04
  EXPECT_FALSE(difficulty.easy());
  difficulty.see(easy);  // 0.52
  EXPECT_TRUE(difficulty.easy());
  std::vector<float> middling(4, 0.0f);  // 1.39: above where it enters, below where it leaves
  for (int i = 0; i < 10; ++i) difficulty.see(middling);
  EXPECT_TRUE(difficulty.easy());
  difficulty.see(hard);
  EXPECT_FALSE(difficulty.easy());
}

}  // namespace
}  // namespace edgewright
