#include "power/length_predictor.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

TEST(LengthPredictor, BelievesWhatItHasSeen) {
  LengthPredictor predictor(100);
  EXPECT_EQ(predictor.left(10, 40), 60);
  predictor.finished(10, 32);
  EXPECT_EQ(predictor.left(500, 0), 32);
  EXPECT_EQ(predictor.left(500, 31), 1);
  EXPECT_EQ(predictor.left(500, 40), 8);
}

TEST(LengthPredictor, FindsAnswersThatFollowTheirPrompts) {
  LengthPredictor predictor;
  for (int i = 0; i < 40; ++i) {
    const double prompt = 20 + 40 * (i % 5);
    predictor.finished(prompt, 2 * prompt);
  }
  EXPECT_NEAR(predictor.left(100, 0), 200, 1);
  EXPECT_NEAR(predictor.left(300, 100), 500, 1);
}

}  // namespace
}  // namespace edgewright
