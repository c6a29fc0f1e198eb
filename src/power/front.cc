#include "power/front.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

// Calls visit(setting) for every number of cores and point of each cluster but all-idle.
template <class Visit>
void each_setting(const Machine& machine, size_t cluster, Setting& setting, Visit& visit) {
  if (cluster == machine.clusters()) return visit(setting);
  ClusterSetting& used = setting.clusters[cluster];
  used = {0, 0};
  each_setting(machine, cluster + 1, setting, visit);
  for (size_t point = 0; point < machine.points(cluster); ++point) {
    if (machine.point_at_least(cluster, machine.frequency_khz(cluster, point)) != point) continue;
    for (int cores = 1; cores <= machine.cores(cluster); ++cores) {
      used = {cores, point};
      each_setting(machine, cluster + 1, setting, visit);
    }
  }
  used = {0, 0};
}

std::vector<FrontChoice> every_choice(const Machine& machine, const StepWork& work,
                                      const std::string& dtype, double die_c,
                                      bool platform_on_anyway) {
  std::vector<FrontChoice> all;
  const auto visit = [&](const Setting& setting) {
    FrontChoice choice = cost_of(machine, work, dtype, setting, die_c, platform_on_anyway);
    if (std::isinf(choice.step_s)) return;
    // A pipeline has to be worth the trouble.
    constexpr double kWorthWhile = 0.99;
    Setting staged = setting;
    staged.pipelined = true;
    if (!std::isinf(machine.pipelined_step_s(work, dtype, staged, kWorthWhile * choice.step_s))) {
      FrontChoice other = cost_of(machine, work, dtype, staged, die_c, platform_on_anyway);
      if (other.step_s < kWorthWhile * choice.step_s) all.push_back(std::move(other));
    }
    all.push_back(std::move(choice));
  };
  Setting setting{.clusters = std::vector<ClusterSetting>(machine.clusters())};
  each_setting(machine, 0, setting, visit);
  return all;
}

// Quickest first, and each later one costs less.
std::vector<FrontChoice> front_by(double FrontChoice::* cost, std::vector<FrontChoice> all) {
  std::ranges::sort(all, [cost](const FrontChoice& x, const FrontChoice& y) {
    return x.step_s != y.step_s ? x.step_s < y.step_s : x.*cost < y.*cost;
  });
  std::vector<FrontChoice> front;
  for (FrontChoice& choice : all) {
    if (front.empty() || choice.*cost < front.back().*cost) front.push_back(std::move(choice));
  }
  return front;
}

}  // namespace

FrontChoice cost_of(const Machine& machine, const StepWork& work, const std::string& dtype,
                    const Setting& setting, double die_c, bool platform_on_anyway) {
  const double step_s = machine.step_s(work, dtype, setting);
  double watts = 0;
  for (size_t i = 0; i < machine.clusters(); ++i) {
    if (setting.clusters[i].cores > 0) watts += machine.busy_w(i, setting.clusters[i], die_c);
  }
  const double work_j = watts * step_s + machine.memory_j(machine.moved_bytes(work, setting));
  const double platform_j = machine.platform_w() * step_s;
  return {setting, step_s, work_j + (platform_on_anyway ? 0 : platform_j),
          (work_j + platform_j) / step_s};
}

std::vector<FrontChoice> pareto_front(const Machine& machine, const StepWork& work,
                                      const std::string& dtype, double die_c,
                                      bool platform_on_anyway) {
  return front_by(&FrontChoice::energy_j,
                  every_choice(machine, work, dtype, die_c, platform_on_anyway));
}

std::vector<FrontChoice> power_front(const Machine& machine, const StepWork& work,
                                     const std::string& dtype, double die_c) {
  return front_by(&FrontChoice::power_w, every_choice(machine, work, dtype, die_c, false));
}

const FrontChoice& cheapest_within(const std::vector<FrontChoice>& front, double limit_s) {
  const auto beyond = std::ranges::upper_bound(front, limit_s, {}, &FrontChoice::step_s);
  return beyond == front.begin() ? front.front() : *(beyond - 1);
}

const FrontChoice& quickest_within_power(const std::vector<FrontChoice>& front, double limit_w) {
  const auto found = std::ranges::find_if(
      front, [limit_w](const FrontChoice& choice) { return choice.power_w <= limit_w; });
  return found == front.end() ? *std::ranges::min_element(front, {}, &FrontChoice::power_w)
                              : *found;
}

const FrontChoice& best_utility(const std::vector<FrontChoice>& front, double a, double b) {
  return *std::ranges::max_element(front, {}, [a, b](const FrontChoice& choice) {
    return -a * std::log(choice.step_s) - b * std::log(choice.power_w);
  });
}

}  // namespace edgewright
