#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "device/device.h"

namespace edgewright {

// Linux's own policies as references, in its integer arithmetic.

// schedutil (map_util_freq and get_next_freq, kernel/sched/cpufreq_schedutil.c): the frequency for
// a utilisation of 0 to capacity, 25 % above it, before the step to an operating point.
int64_t schedutil_frequency_khz(int64_t utilization, int64_t capacity, int64_t max_khz);
// util_est (util_est_update, kernel/sched/fair.c; on by default): what a task used when it last
// went to sleep, which is what schedutil believes of it as soon as it wakes. Rises at once, falls
// by a quarter of the difference, and not at all within one percent.
class UtilizationEstimate {
 public:
  int64_t value() const { return value_; }
  void sleep_at(int64_t utilization);

 private:
  int64_t value_ = 0;
};
// The lowest operating point of at least a frequency; the highest one when there is none. With
// `skip_inefficient`, the next one that is not marked inefficient (cpufreq does so where an energy
// model is registered).
size_t operating_point_at_least(const Cluster& cluster, int64_t frequency_khz,
                                bool skip_inefficient = false);

// One performance domain as energy-aware scheduling sees it: operating points by capacity.
struct PerformanceState {
  int64_t capacity = 0;
  int64_t power = 0;
};
struct PerformanceDomain {
  std::vector<PerformanceState> states;  // capacity ascending
  std::vector<int64_t> utilizations;     // of its CPUs
};
// em_cpu_energy (include/linux/energy_model.h): the lowest state that holds the largest
// utilisation, times the sum of utilisations.
int64_t domain_energy(const PerformanceDomain& domain);

// find_energy_efficient_cpu (kernel/sched/fair.c; worked example in
// Documentation/scheduler/sched-energy.rst): the energies of leaving a task on its CPU or moving it
// to the CPU of most spare capacity of each domain.
struct PlacementCandidate {
  size_t cpu = 0;
  int64_t energy = 0;
};
struct Placement {
  std::vector<PlacementCandidate> candidates;
  size_t cpu = 0;  // of least energy
};
// `previous_cpu` counts through the domains; its utilisation includes the task's.
Placement energy_aware_cpu(std::span<const PerformanceDomain> domains, int64_t task_utilization,
                           size_t previous_cpu);

// step_wise (drivers/thermal/gov_step_wise.c): one cooling device at one trip point.
enum class ThermalTrend { kDropping, kStable, kRaising };
class StepWise {
 public:
  static constexpr int64_t kNoTarget = -1;
  StepWise(int64_t lower, int64_t upper) : lower_(lower), upper_(upper) {}
  // The target cooling state, or kNoTarget when the trip asks for nothing.
  int64_t update(int64_t temperature_mc, int64_t trip_mc, ThermalTrend trend,
                 int64_t current_state);

 private:
  int64_t lower_, upper_, target_ = kNoTarget;
  bool initialized_ = false;
};

// power_allocator (IPA, drivers/thermal/gov_power_allocator.c): a PID controller in fixed point
// with 10 fractional bits.
class PowerAllocator {
 public:
  struct Settings {
    int64_t sustainable_mw = 0;
    int64_t switch_on_mc = 0, control_mc = 0;
    int64_t max_mw = 0;  // all actors together
    int64_t integral_cutoff_mc = 0;
  };
  explicit PowerAllocator(const Settings& settings);
  // The power budget of the next period. Below the switch-on temperature the controller rests and
  // everything is allowed.
  int64_t budget_mw(int64_t temperature_mc);

 private:
  Settings settings_;
  int64_t k_po_ = 0, k_pu_ = 0, k_i_ = 1, error_integral_ = 0;
};
// divvy_up_power: shares a budget by request; what an actor cannot use goes to the others.
struct PowerActor {
  int64_t requested_mw = 0, max_mw = 0;
};
std::vector<int64_t> share_power(std::span<const PowerActor> actors, int64_t budget_mw);

}  // namespace edgewright
