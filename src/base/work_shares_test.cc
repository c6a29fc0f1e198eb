#include "base/work_shares.h"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace edgewright {
namespace {

TEST(WorkShares, BeginEqualAndCoverEverything) {
  const WorkShares shares(3);
  std::array<size_t, 4> bounds{};
  for (const size_t count : {0u, 1u, 2u, 3u, 10u, 97u}) {
    shares.divide(count, bounds);
    EXPECT_EQ(bounds[0], 0);
    EXPECT_EQ(bounds[3], count);
    for (size_t w = 0; w < 3; ++w) EXPECT_LE(bounds[w], bounds[w + 1]);
  }
  shares.divide(9, bounds);
  EXPECT_EQ(bounds, (std::array<size_t, 4>{0, 3, 6, 9}));
}

// A core that is three times as fast gets three quarters, whatever an item costs in each loop.
TEST(WorkShares, FollowMeasuredSpeed) {
  WorkShares shares(2);
  for (int loop = 0; loop < 100; ++loop) {
    const double item_s = loop % 2 == 0 ? 1e-6 : 5e-6;
    std::array<size_t, 3> bounds{};
    shares.divide(1000, bounds);
    const size_t big = bounds[1], little = 1000 - big;
    const std::array<WorkShares::Done, 2> done{
        {{big, static_cast<double>(big) * item_s},
         {little, static_cast<double>(little) * 3 * item_s}}};
    shares.learn(done);
  }
  EXPECT_NEAR(shares.speeds()[0], 0.75, 1e-3);
  std::array<size_t, 3> bounds{};
  shares.divide(1000, bounds);
  EXPECT_NEAR(static_cast<double>(bounds[1]), 750, 2);
}

TEST(WorkShares, AWorkerThatDidNothingKeepsItsSpeed) {
  WorkShares shares(3);
  const std::array<WorkShares::Done, 3> done{{{10, 1e-3}, {10, 1e-3}, {0, 0}}};
  for (int i = 0; i < 50; ++i) shares.learn(done);
  EXPECT_NEAR(shares.speeds()[2], 1.0 / 3, 1e-12);
}

TEST(CoresDiffer, ReadsCapacities) {
  const auto root = std::filesystem::temp_directory_path() / "edgewright_cores_differ";
  std::filesystem::remove_all(root);
  EXPECT_FALSE(cores_differ(root.string()));
  const auto put = [&](int cpu, int capacity) {
    const auto folder = root / ("sys/devices/system/cpu/cpu" + std::to_string(cpu));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "cpu_capacity") << capacity << "\n";
  };
  put(0, 1024);
  put(1, 1024);
  EXPECT_FALSE(cores_differ(root.string()));
  put(2, 403);
  EXPECT_TRUE(cores_differ(root.string()));
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace edgewright
