#include "kernels/reference/walk.h"

#include <gtest/gtest.h>

namespace edgewright::reference {
namespace {

TEST(StridedWalk, MergesContiguousAxes) {
  StridedWalk walk({2, 3, 4}, {{12, 4, 1}});
  std::vector<int64_t> counts;
  walk.for_each_row([&](const int64_t*, int64_t count) { counts.push_back(count); });
  EXPECT_EQ(counts, std::vector<int64_t>{24});
}

TEST(StridedWalk, WalksTransposedRowsInOrder) {
  StridedWalk walk({3, 2}, {{1, 3}});  // the transpose of a 2x3 array
  std::vector<int64_t> seen;
  walk.for_each_row([&](const int64_t* offsets, int64_t count) {
    for (int64_t i = 0; i < count; ++i) seen.push_back(offsets[0] + i * walk.inner_stride(0));
  });
  EXPECT_EQ(seen, (std::vector<int64_t>{0, 3, 1, 4, 2, 5}));
}

TEST(StridedWalk, ZeroDimensionHasNoRows) {
  const int64_t huge = int64_t{1} << 40;
  StridedWalk walk({huge, huge, 0}, {row_major_strides(Dims{huge, huge, 0})});
  walk.for_each_row([&](const int64_t*, int64_t) { FAIL(); });
}

TEST(StridedWalk, ScalarIsOneRow) {
  StridedWalk walk({}, {{}});
  int rows = 0;
  walk.for_each_row([&](const int64_t* offsets, int64_t count) {
    ++rows;
    EXPECT_EQ(offsets[0], 0);
    EXPECT_EQ(count, 1);
  });
  EXPECT_EQ(rows, 1);
}

TEST(BroadcastPlan, AddsRowsAndColumns) {
  const Tensor a = Tensor::of<float>({2, 1}, {10, 20});
  const Tensor b = Tensor::of<float>({3}, {1, 2, 3});
  const auto plan = BroadcastPlan::make({&a, &b});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->dims(), (Dims{2, 3}));
  std::vector<float> out(6);
  map_broadcast(*plan, a.data<float>(), b.data<float>(), out.data(),
                [](float x, float y) { return x + y; });
  EXPECT_EQ(out, (std::vector<float>{11, 12, 13, 21, 22, 23}));
}

TEST(BroadcastPlan, RefusesShapesThatDoNotFit) {
  const Tensor a = Tensor::of<float>({2}, {1, 2});
  const Tensor b = Tensor::of<float>({3}, {1, 2, 3});
  const auto plan = BroadcastPlan::make({&a, &b});
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().kind, ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright::reference
