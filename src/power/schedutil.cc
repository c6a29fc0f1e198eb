#include <algorithm>
#include <cmath>
#include <optional>

#include "power/policy.h"

namespace edgewright {
namespace {

// Per-entity load tracking: a running sum whose memory halves every 32 ms
// (kernel/sched/pelt.c), scaled by what the core could do at its frequency.
class UtilizationTracker {
 public:
  double update(double elapsed_s, double running_share, double capacity_now) {
    const double kept = std::exp2(-elapsed_s / 0.032);
    value_ = value_ * kept + running_share * capacity_now * (1 - kept);
    return value_;
  }

 private:
  double value_ = 0;
};

// What holds frequencies back: the highest point that each cluster may take.
class ThermalGovernor {
 public:
  virtual ~ThermalGovernor() = default;
  // Once a second, as a zone without an interrupt is polled. `wanted`: points asked for.
  virtual void poll(int64_t skin_mc, const std::vector<size_t>& wanted, const Setting& setting) = 0;
  virtual std::string_view name() const = 0;
  size_t allowed(size_t cluster) const { return allowed_[cluster]; }

 protected:
  explicit ThermalGovernor(const Machine& machine) : machine_(machine) {
    for (size_t i = 0; i < machine.clusters(); ++i) allowed_.push_back(machine.points(i) - 1);
  }
  const Machine& machine_;
  std::vector<size_t> allowed_;
};

class StepWiseThermal : public ThermalGovernor {
 public:
  StepWiseThermal(const Machine& machine, double limit_c)
      : ThermalGovernor(machine), limit_mc_(static_cast<int64_t>(limit_c * 1000)) {
    for (size_t i = 0; i < machine.clusters(); ++i) {
      steps_.emplace_back(0, static_cast<int64_t>(machine.points(i)) - 1);
      states_.push_back(0);
    }
  }
  std::string_view name() const override { return "step_wise"; }

  void poll(int64_t skin_mc, const std::vector<size_t>& /*wanted*/,
            const Setting& /*setting*/) override {
    // The kernel's trend has no dead band but equality.
    const ThermalTrend trend = skin_mc > last_mc_   ? ThermalTrend::kRaising
                               : skin_mc < last_mc_ ? ThermalTrend::kDropping
                                                    : ThermalTrend::kStable;
    last_mc_ = skin_mc;
    for (size_t i = 0; i < states_.size(); ++i) {
      const int64_t target = steps_[i].update(skin_mc, limit_mc_, trend, states_[i]);
      states_[i] = target == StepWise::kNoTarget ? 0 : target;
      allowed_[i] = machine_.points(i) - 1 - static_cast<size_t>(states_[i]);
    }
  }

 private:
  const int64_t limit_mc_;
  std::vector<StepWise> steps_;
  std::vector<int64_t> states_;
  int64_t last_mc_ = 0;
};

// The power allocator with a switch-on point five kelvin below the limit. What can be sustained is
// what the thermal network lets through at the limit.
class PowerAllocatorThermal : public ThermalGovernor {
 public:
  PowerAllocatorThermal(const PolicyContext& context, LimitedHeat heat)
      : ThermalGovernor(*context.machine), allocator_(settings_of(context, heat)) {}
  std::string_view name() const override { return "power_allocator"; }

  void poll(int64_t skin_mc, const std::vector<size_t>& wanted, const Setting& setting) override {
    std::vector<PowerActor> actors;
    for (size_t i = 0; i < wanted.size(); ++i) {
      const int cores = setting.clusters[i].cores;
      actors.push_back({power_mw(i, cores, wanted[i]), power_mw(i, cores, machine_.points(i) - 1)});
    }
    const auto granted = share_power(actors, allocator_.budget_mw(skin_mc));
    for (size_t i = 0; i < granted.size(); ++i) {
      size_t point = machine_.points(i) - 1;
      while (point > 0 && power_mw(i, setting.clusters[i].cores, point) > granted[i]) --point;
      allowed_[i] = point;
    }
  }

 private:
  static constexpr double kTypicalDieC = 50;
  int64_t power_mw(size_t cluster, int cores, size_t point) const {
    if (cores == 0) return 0;
    return std::llround(1e3 * machine_.busy_w(cluster, {cores, point}, kTypicalDieC));
  }
  static PowerAllocator::Settings settings_of(const PolicyContext& context, LimitedHeat& heat) {
    const Machine& machine = *context.machine;
    const double ambient_c = 25;
    std::vector<double> power(heat.model.size(), 0);
    power[heat.inlet] = 1;
    const double per_w = heat.model.steady_state(power, 0)[heat.limited_node];
    const double whole_w = (context.skin_limit_c - ambient_c) / per_w;
    double most_w = 0;
    const Setting big = machine.big_cores();
    for (size_t i = 0; i < machine.clusters(); ++i) {
      if (big.clusters[i].cores > 0) most_w += machine.busy_w(i, big.clusters[i], kTypicalDieC);
    }
    const auto limit_mc = static_cast<int64_t>(context.skin_limit_c * 1000);
    return {.sustainable_mw =
                std::max<int64_t>(100, std::llround(1e3 * (whole_w - machine.platform_w()))),
            .switch_on_mc = limit_mc - 5000,
            .control_mc = limit_mc,
            .max_mw = std::llround(most_w * 1e3)};
  }
  PowerAllocator allocator_;
};

class Schedutil : public Policy {
 public:
  Schedutil(const PolicyContext& context, const KernelGovernors& governors)
      : machine_(*context.machine),
        setting_(machine_.big_cores()),
        trackers_(machine_.clusters()),
        estimates_(machine_.clusters()),
        wanted_(machine_.clusters(), 0),
        governors_(governors) {
    for (ClusterSetting& used : setting_.clusters) used.point = 0;
    if (context.skin_limit_c <= 0 || context.network == nullptr) return;
    if (governors.thermal == KernelGovernors::Thermal::kPowerAllocator) {
      if (auto heat = limited_heat(*context.network); heat.ok()) {
        thermal_ = std::make_unique<PowerAllocatorThermal>(context, std::move(*heat));
      }
    }
    if (!thermal_) thermal_ = std::make_unique<StepWiseThermal>(machine_, context.skin_limit_c);
  }
  std::string_view name() const override { return governors_.policy; }

  Decision decide(const Observation& seen) override {
    const double elapsed_s = seen.now_s - last_s_;
    last_s_ = seen.now_s;
    if (thermal_ && seen.now_s - polled_s_ >= 1) {
      polled_s_ = seen.now_s;
      // Sensors of phones report 0.1 kelvin.
      thermal_->poll(std::lround(seen.skin_c * 10) * 100, wanted_, setting_);
    }
    const bool awake = seen.phase != Phase::kIdle, fell_asleep = awake_ && !awake;
    awake_ = awake;
    bool held_back = false;
    for (size_t i = 0; i < machine_.clusters(); ++i) {
      ClusterSetting& used = setting_.clusters[i];
      const int64_t top_khz = machine_.frequency_khz(i, machine_.points(i) - 1);
      const double now = static_cast<double>(machine_.capacity(i)) *
                         static_cast<double>(machine_.frequency_khz(i, used.point)) /
                         static_cast<double>(top_khz);
      const double share = i < seen.busy_share.size() ? seen.busy_share[i] : 0;
      auto utilization = static_cast<int64_t>(trackers_[i].update(elapsed_s, share, now));
      if (fell_asleep && used.cores > 0) estimates_[i].sleep_at(utilization);
      if (awake) utilization = std::max(utilization, estimates_[i].value());
      const int64_t khz = schedutil_frequency_khz(utilization, machine_.capacity(i), top_khz);
      wanted_[i] = machine_.point_at_least(i, khz);
      const size_t allowed = thermal_ ? thermal_->allowed(i) : machine_.points(i) - 1;
      held_back |= used.cores > 0 && wanted_[i] > allowed;
      used.point = std::min(wanted_[i], allowed);
    }
    return {
        .setting = setting_, .reason = held_back ? thermal_->name() : "", .idle = governors_.idle};
  }

 private:
  const Machine& machine_;
  Setting setting_;
  std::vector<UtilizationTracker> trackers_;
  std::vector<UtilizationEstimate> estimates_;
  std::vector<size_t> wanted_;
  const KernelGovernors governors_;
  std::unique_ptr<ThermalGovernor> thermal_;
  bool awake_ = false;
  double last_s_ = 0, polled_s_ = 0;
};

}  // namespace

std::unique_ptr<Policy> schedutil_policy(const PolicyContext& context,
                                         const KernelGovernors& governors) {
  return std::make_unique<Schedutil>(context, governors);
}

}  // namespace edgewright
