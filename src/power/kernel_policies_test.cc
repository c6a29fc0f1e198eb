#include "power/kernel_policies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgewright {
namespace {

using testing::ElementsAre;

// Values of map_util_freq with its 25 % of headroom, worked out by hand.
TEST(Schedutil, LeavesAQuarterOfHeadroom) {
  EXPECT_EQ(schedutil_frequency_khz(300, 1024, 2'400'000), 878'906);
  EXPECT_EQ(schedutil_frequency_khz(800, 1024, 2'400'000), 2'343'750);
  EXPECT_EQ(schedutil_frequency_khz(819, 1024, 2'400'000), 2'399'414);
  EXPECT_EQ(schedutil_frequency_khz(820, 1024, 2'400'000), 2'400'000);
}

TEST(Schedutil, TakesTheNextHigherPointAndSkipsInefficientOnes) {
  Cluster cluster;
  cluster.operating_points = {{408'000, 0, 0, true}, {600'000, 0, 0, false}, {816'000}};
  EXPECT_EQ(operating_point_at_least(cluster, 1), 0);
  EXPECT_EQ(operating_point_at_least(cluster, 1, true), 1);
  EXPECT_EQ(operating_point_at_least(cluster, 600'001), 2);
  EXPECT_EQ(operating_point_at_least(cluster, 9'000'000), 2);
}

// The worked example of Documentation/scheduler/sched-energy.rst of Linux.
TEST(EnergyAware, ChoosesAsInTheKernelsWorkedExample) {
  const std::vector<PerformanceDomain> domains = {
      {{{170, 50}, {341, 150}, {512, 300}}, {400, 100}},
      {{{512, 400}, {768, 800}, {1024, 1700}}, {600, 500}}};
  const Placement placement = energy_aware_cpu(domains, 200, 0);
  ASSERT_EQ(placement.candidates.size(), 3);
  EXPECT_EQ(placement.candidates[0].cpu, 0);
  EXPECT_EQ(placement.candidates[0].energy, 1437);
  EXPECT_EQ(placement.candidates[1].cpu, 1);
  EXPECT_EQ(placement.candidates[1].energy, 1364);
  EXPECT_EQ(placement.candidates[2].cpu, 3);
  EXPECT_EQ(placement.candidates[2].energy, 1485);
  EXPECT_EQ(placement.cpu, 1);
}

// The controller's arithmetic by hand: k_po 128, k_pu 256, k_i 25 in 1/1024.
TEST(PowerAllocator, FollowsTheKernelsController) {
  PowerAllocator allocator(
      {.sustainable_mw = 2500, .switch_on_mc = 65'000, .control_mc = 85'000, .max_mw = 6000});
  std::vector<int64_t> budgets;
  for (const int64_t celsius : {70, 80, 84, 86, 90, 88, 85}) {
    budgets.push_back(allocator.budget_mw(celsius * 1000));
  }
  EXPECT_THAT(budgets, ElementsAre(6000, 3750, 2750, 2350, 1728, 1905, 2280));
}

TEST(PowerAllocator, RestsAndForgetsBelowTheSwitchOnTemperature) {
  PowerAllocator allocator(
      {.sustainable_mw = 2500, .switch_on_mc = 65'000, .control_mc = 85'000, .max_mw = 6000});
  EXPECT_LT(allocator.budget_mw(95'000), 2500);
  EXPECT_EQ(allocator.budget_mw(60'000), 6000);
  EXPECT_EQ(allocator.budget_mw(85'000), 2500);
}

TEST(SharePower, GivesWhatOneCannotUseToTheOthers) {
  const std::vector<PowerActor> actors = {{1000, 600}, {1000, 3000}};
  EXPECT_THAT(share_power(actors, 2000), ElementsAre(600, 1400));
  const std::vector<PowerActor> idle = {{0, 500}, {0, 500}};
  EXPECT_THAT(share_power(idle, 600), ElementsAre(300, 300));
}

// The rules in the head comment of gov_step_wise.c, one call each.
TEST(StepWise, StepsByTrendOnly) {
  StepWise governor(0, 3);
  EXPECT_EQ(governor.update(80'000, 85'000, ThermalTrend::kRaising, 0), StepWise::kNoTarget);
  EXPECT_EQ(governor.update(86'000, 85'000, ThermalTrend::kRaising, 0), 1);
  EXPECT_EQ(governor.update(87'000, 85'000, ThermalTrend::kRaising, 1), 2);
  EXPECT_EQ(governor.update(87'000, 85'000, ThermalTrend::kStable, 2), 2);
  EXPECT_EQ(governor.update(86'000, 85'000, ThermalTrend::kDropping, 2), 2);
  EXPECT_EQ(governor.update(84'000, 85'000, ThermalTrend::kRaising, 2), 2);
  EXPECT_EQ(governor.update(84'000, 85'000, ThermalTrend::kDropping, 2), 1);
  EXPECT_EQ(governor.update(83'000, 85'000, ThermalTrend::kDropping, 1), 0);
  EXPECT_EQ(governor.update(82'000, 85'000, ThermalTrend::kDropping, 0), StepWise::kNoTarget);
}

TEST(StepWise, NeverLeavesItsRange) {
  StepWise governor(0, 2);
  int64_t state = 0;
  for (int i = 0; i < 5; ++i) {
    state = governor.update(90'000, 85'000, ThermalTrend::kRaising, state);
  }
  EXPECT_EQ(state, 2);
}

// Up at once; down by a quarter: (800 * 4 - 400) / 4; within a margin of 10 not at all.
TEST(UtilizationEstimate, RisesAtOnceAndFallsByAQuarter) {
  UtilizationEstimate estimate;
  estimate.sleep_at(800);
  EXPECT_EQ(estimate.value(), 800);
  estimate.sleep_at(400);
  EXPECT_EQ(estimate.value(), 700);
  estimate.sleep_at(691);
  EXPECT_EQ(estimate.value(), 700);
  estimate.sleep_at(690);
  EXPECT_EQ(estimate.value(), 697);
  estimate.sleep_at(1024);
  EXPECT_EQ(estimate.value(), 1024);
}

}  // namespace
}  // namespace edgewright
