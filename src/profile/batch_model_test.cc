#include "profile/batch_model.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

BatchModel model_of(std::vector<BatchPoint> points) {
  auto model = BatchModel::fit(std::move(points));
  EXPECT_TRUE(model.ok());
  return *std::move(model);
}

// A fixed cost of 90 us and 10 us a sample, known at three sizes only.
TEST(BatchModel, FollowsAFixedCostAndACostPerSample) {
  const BatchModel model = model_of({{1, 100, 10}, {4, 130, 40}, {16, 250, 160}});
  EXPECT_DOUBLE_EQ(model.latency_us(2), 110);
  EXPECT_DOUBLE_EQ(model.latency_us(10), 190);
  EXPECT_DOUBLE_EQ(model.efficiency(16), 16 * 100.0 / 250);
  EXPECT_EQ(model.memory_bytes(10), 100);
}

// Cost a (90 + 10 b) + c (90 + 10 b) / b is least at b = sqrt(9 c / a).
TEST(BatchModel, FindsTheBatchWhereTheCostIsLeast) {
  const BatchModel model = model_of({{1, 100, 10}, {4, 130, 40}, {16, 250, 160}});
  EXPECT_EQ(model.best({1, 1, 0, 0}), 3);
  EXPECT_EQ(model.best({1, 4, 0, 0}), 6);
  EXPECT_EQ(model.best({0, 1, 0, 0}), 16);
  EXPECT_EQ(model.best({1, 0, 0, 0}), 1);
  EXPECT_EQ(model.best({0, 1, 0, 55}), 5);
}

// Nine short samples to a long one: a batch of 16 is as long as the long one nearly always.
TEST(BatchModel, PaddingCounts) {
  const BatchModel model = model_of({{1, 100, 10}, {16, 1100, 160}});
  BatchGoal goal;
  EXPECT_EQ(model.best(goal), 16);
  goal.lengths = {5, 5, 5};
  EXPECT_EQ(model.best(goal), 16);
  goal.lengths = {1, 1, 1, 1, 1, 1, 1, 1, 1, 100};
  EXPECT_EQ(model.best(goal), 1);
  EXPECT_DOUBLE_EQ(model.cost(2, goal),
                   model.latency_us(2) / 2 / (1 - padding_share(goal.lengths, 2)));
}

TEST(BatchModel, NeedsTwoSizes) {
  EXPECT_FALSE(BatchModel::fit({{1, 100, 0}}).ok());
  EXPECT_FALSE(BatchModel::fit({{2, 100, 0}, {2, 90, 0}}).ok());
  EXPECT_FALSE(BatchModel::fit({{0, 100, 0}, {2, 90, 0}}).ok());
}

// Of the lengths 1 and 3, two draws have the largest 3 three times of four: 2.5 on average, and 2
// of them are filled.
TEST(BatchModel, PaddingIsWhatTheLongestOfABatchLeavesEmpty) {
  const int64_t lengths[] = {1, 3};
  EXPECT_DOUBLE_EQ(padding_share(lengths, 1), 0);
  EXPECT_DOUBLE_EQ(padding_share(lengths, 2), 1 - 2 / 2.5);
  EXPECT_DOUBLE_EQ(padding_share({}, 4), 0);
}

}  // namespace
}  // namespace edgewright
