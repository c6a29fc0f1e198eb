#include "profile/cache_model.h"

#include <gtest/gtest.h>

#include "graph/text.h"
#include "runtime/compile.h"

namespace edgewright {
namespace {

std::shared_ptr<const Plan> plan_of(std::string_view text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  auto plan = compile(**graph, {});
  EXPECT_TRUE(plan.ok());
  return *plan;
}

// Two steps over 64 KiB: the second finds in a large cache what the first wrote, and a small one
// has lost it.
TEST(CacheModel, CountsWhatACacheOfTheCapacityMisses) {
  const auto plan = plan_of(
      "graph %g(%x: float32[16384]) -> (%z) {\n"
      "%y: float32[16384] = Relu(%x)\n"
      "%z: float32[16384] = Sqrt(%y)\n}");
  const int64_t array = 65536;
  const auto large = cache_traffic(*plan, {1 << 20});
  ASSERT_EQ(large.size(), 2U);
  EXPECT_EQ(large[1].level_bytes[0], 2 * array);
  EXPECT_EQ(large[1].level_bytes[1], 0);
  const auto small = cache_traffic(*plan, {4096});
  EXPECT_EQ(small[0].level_bytes[1], 2 * array);
  EXPECT_EQ(small[1].level_bytes[1], 2 * array);
}

// In steady use an array comes back after everything that a run touches.
TEST(CacheModel, ReuseDistanceIsTheDistinctBytesBetween) {
  const auto plan =
      plan_of("graph %g(%x: float32[1024]) -> (%y) {\n%y: float32[1024] = Relu(%x)\n}");
  const auto traffic = cache_traffic(*plan, {1 << 20});
  // 4 KiB in and 4 KiB out: between two uses of a line lie all lines but itself.
  EXPECT_EQ(traffic[0].reuse_distance_bytes, (std::vector<int64_t>{8128, 8128, 8128}));
}

TEST(CacheModel, KnowsWhatStridesAndWhatJumps) {
  Attributes order;
  order.set("perm", std::vector<int64_t>{1, 0});
  const CountedOperand matrix{DType::kFloat32, Dims{64, 64}, false, 16384};
  const Operation transpose{"t", "", "Transpose", &order, {matrix}, {matrix}, 0};
  EXPECT_EQ(access_pattern(transpose, work_of(transpose), 1 << 20).name, "strided");
  const Attributes none;
  const CountedOperand index{DType::kInt64, Dims{8}, false, 64};
  const CountedOperand row{DType::kFloat32, Dims{8, 4}, false, 128};
  const Operation gather{"g", "", "Gather", &none, {matrix, index}, {row}, 0};
  const AccessPattern pattern = access_pattern(gather, work_of(gather), 1 << 20);
  EXPECT_EQ(pattern.name, "random");
  EXPECT_DOUBLE_EQ(pattern.locality, 0.25);
}

}  // namespace
}  // namespace edgewright
