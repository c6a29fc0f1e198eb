#include "device/energy_model.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

// HiKey 960 as its device tree states it (hi3660.dtsi of Linux): dmips 592 and 1024, coefficients
// 110 and 550. The kernel prints 28, 70, 124 / 243, 500, 804, 1161 mW at capacities 133, 250, 351.
Device hikey960() {
  Device device;
  device.clusters = {{.name = "arm,cortex-a53",
                      .cpus = {0, 1, 2, 3},
                      .dmips_per_mhz = 592,
                      .dynamic_coefficient = 110,
                      .operating_points = {{533'000, 700'000},
                                           {999'000, 800'000},
                                           {1'402'000, 900'000},
                                           {1'709'000, 1'000'000},
                                           {1'844'000, 1'100'000}}},
                     {.name = "arm,cortex-a73",
                      .cpus = {4, 5, 6, 7},
                      .dmips_per_mhz = 1024,
                      .dynamic_coefficient = 550,
                      .operating_points = {{903'000, 700'000},
                                           {1'421'000, 800'000},
                                           {1'805'000, 900'000},
                                           {2'112'000, 1'000'000},
                                           {2'362'000, 1'100'000}}}};
  normalize_capacities(device);
  for (Cluster& cluster : device.clusters) apply_kernel_powers(cluster);
  return device;
}

TEST(EnergyModel, GivesTheKernelsFiguresForHikey960) {
  const Device device = hikey960();
  EXPECT_EQ(device.clusters[0].capacity, 462);
  EXPECT_EQ(device.clusters[1].capacity, 1024);
  const int64_t little_mw[] = {28, 70, 124}, big_mw[] = {243, 500, 804, 1161};
  const int64_t capacities[] = {133, 250, 351};
  for (size_t i = 0; i < 3; ++i) {
    const OperatingPoint& point = device.clusters[0].operating_points[i];
    EXPECT_EQ(point.power_uw / 1000, little_mw[i]);
    EXPECT_EQ(performance_at(device.clusters[0], point.frequency_khz), capacities[i]);
  }
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(device.clusters[1].operating_points[i].power_uw / 1000, big_mw[i]);
  }
}

// The little cores of rk3399 (rk3399-opp.dtsi of Linux): at 825 mV the lower of two frequencies
// saves no energy.
TEST(EnergyModel, MarksWhatAHigherFrequencyDoesCheaper) {
  Cluster cluster{
      .name = "arm,cortex-a53",
      .cpus = {0},
      .capacity = 381,
      .dynamic_coefficient = 100,
      .operating_points = {
          {408'000, 825'000}, {600'000, 825'000}, {816'000, 850'000}, {1'416'000, 1'125'000}}};
  apply_kernel_powers(cluster);
  const auto& points = cluster.operating_points;
  EXPECT_TRUE(points[0].inefficient);
  EXPECT_FALSE(points[1].inefficient);
  EXPECT_FALSE(points[3].inefficient);
  EXPECT_EQ(points[0].power_uw, 27'769);
}

TEST(EnergyModel, SaysNothingWhereTheTreeSaysNothing) {
  Device device;
  device.clusters = {{.name = "core", .cpus = {0}, .operating_points = {{1'000'000, 0}}}};
  normalize_capacities(device);
  apply_kernel_powers(device.clusters[0]);
  EXPECT_EQ(device.clusters[0].capacity, 0);
  EXPECT_EQ(device.clusters[0].operating_points[0].power_uw, 0);
  EXPECT_FALSE(device.clusters[0].operating_points[0].inefficient);
  EXPECT_TRUE(device.clusters[0].power_source.empty());
}

}  // namespace
}  // namespace edgewright
