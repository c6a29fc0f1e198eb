#include "api/deploy/operating_point.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace edgewright {
namespace {

Device two_clusters() {
  Device device;
  Cluster little;
  little.name = "little";
  little.cpus = {0, 1};
  little.capacity = 256;
  little.operating_points = {{500000, 600000, 20000}, {1000000, 800000, 80000}};
  Cluster big;
  big.name = "big";
  big.cpus = {2};
  big.capacity = 1024;
  big.operating_points = {{1000000, 700000, 400000}, {2000000, 900000, 1500000}};
  device.clusters = {little, big};
  return device;
}

TEST(OperatingChoices, ComputingScalesAndMemoryDoesNot) {
  const auto choices = operating_choices(two_clusters(), {1000, 200});
  ASSERT_EQ(choices.size(), 6u);
  const auto find = [&](std::string_view cluster, int cores, int64_t khz) {
    return *std::ranges::find_if(choices, [&](const OperatingChoice& c) {
      return c.cluster == cluster && c.cores == cores && c.frequency_khz == khz;
    });
  };
  EXPECT_DOUBLE_EQ(find("big", 1, 2000000).latency_us, 1000);
  EXPECT_DOUBLE_EQ(find("big", 1, 1000000).latency_us, 200 + 1600);
  EXPECT_DOUBLE_EQ(find("little", 2, 1000000).latency_us, 200 + 1600);
  EXPECT_NEAR(find("big", 1, 2000000).energy_mj, 1.5, 1e-12);
}

TEST(OperatingChoices, LeastEnergyComesFirst) {
  const auto choices = operating_choices(two_clusters(), {1000, 0});
  EXPECT_TRUE(std::ranges::is_sorted(choices, {}, &OperatingChoice::energy_mj));
  EXPECT_EQ(choices.front().cluster, "little");
}

TEST(OperatingChoices, PointsWithoutPowerAreLeftOut) {
  Device device = two_clusters();
  for (auto& point : device.clusters[1].operating_points) point.power_uw = 0;
  for (const OperatingChoice& choice : operating_choices(device, {1000, 0})) {
    EXPECT_EQ(choice.cluster, "little");
  }
}

}  // namespace
}  // namespace edgewright
