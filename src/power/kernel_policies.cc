#include "power/kernel_policies.h"

#include <algorithm>
#include <numeric>

namespace edgewright {
namespace {

constexpr int kFractionBits = 10;
int64_t fixed(int64_t value) { return value * (int64_t{1} << kFractionBits); }
int64_t fixed_product(int64_t a, int64_t b) { return (a * b) >> kFractionBits; }

int64_t divide_rounded(int64_t a, int64_t b) { return (a + b / 2) / b; }

}  // namespace

int64_t schedutil_frequency_khz(int64_t utilization, int64_t capacity, int64_t max_khz) {
  return std::min(max_khz, (max_khz + (max_khz >> 2)) * utilization / capacity);
}

void UtilizationEstimate::sleep_at(int64_t utilization) {
  constexpr int64_t kMargin = 1024 / 100, kWeightShift = 2;
  const int64_t fallen = value_ - utilization;
  if (fallen <= 0) {
    value_ = utilization;
  } else if (fallen >= kMargin) {
    value_ = ((value_ << kWeightShift) - fallen) >> kWeightShift;
  }
}

size_t operating_point_at_least(const Cluster& cluster, int64_t frequency_khz,
                                bool skip_inefficient) {
  const auto& points = cluster.operating_points;
  size_t index = 0;
  while (index + 1 < points.size() && points[index].frequency_khz < frequency_khz) ++index;
  while (skip_inefficient && index + 1 < points.size() && points[index].inefficient) ++index;
  return index;
}

int64_t domain_energy(const PerformanceDomain& domain) {
  if (domain.states.empty() || domain.utilizations.empty()) return 0;
  const int64_t largest = std::ranges::max(domain.utilizations);
  const auto state = std::ranges::find_if(
      domain.states, [largest](const PerformanceState& s) { return s.capacity >= largest; });
  const PerformanceState& used = state == domain.states.end() ? domain.states.back() : *state;
  const int64_t sum =
      std::accumulate(domain.utilizations.begin(), domain.utilizations.end(), int64_t{0});
  return used.capacity == 0 ? 0 : sum * used.power / used.capacity;
}

Placement energy_aware_cpu(std::span<const PerformanceDomain> domains, int64_t task_utilization,
                           size_t previous_cpu) {
  std::vector<PerformanceDomain> without(domains.begin(), domains.end());
  std::vector<size_t> candidates = {previous_cpu};
  size_t first = 0;
  for (PerformanceDomain& domain : without) {
    const size_t count = domain.utilizations.size();
    if (previous_cpu >= first && previous_cpu < first + count) {
      domain.utilizations[previous_cpu - first] -= task_utilization;
    }
    size_t best = count;
    int64_t most_spare = -1;
    for (size_t i = 0; i < count; ++i) {
      const int64_t spare = domain.states.back().capacity - domain.utilizations[i];
      // The task has to fit with the margin that fits_capacity() keeps: 80 % of the capacity.
      const int64_t after = domain.utilizations[i] + task_utilization;
      const bool fits = after * 1280 < domain.states.back().capacity * 1024;
      if (first + i != previous_cpu && fits && spare > most_spare) best = i, most_spare = spare;
    }
    if (best < count) candidates.push_back(first + best);
    first += count;
  }
  Placement placement;
  for (const size_t cpu : candidates) {
    std::vector<PerformanceDomain> with = without;
    size_t offset = cpu;
    int64_t energy = 0;
    for (PerformanceDomain& domain : with) {
      if (offset < domain.utilizations.size()) domain.utilizations[offset] += task_utilization;
      // An index beyond the domain's CPUs belongs to a later one; past ones wrap to huge values.
      offset -= domain.utilizations.size();
      energy += domain_energy(domain);
    }
    placement.candidates.push_back({cpu, energy});
  }
  placement.cpu =
      std::ranges::min_element(placement.candidates, {}, &PlacementCandidate::energy)->cpu;
  return placement;
}

int64_t StepWise::update(int64_t temperature_mc, int64_t trip_mc, ThermalTrend trend,
                         int64_t current_state) {
  const bool throttle = temperature_mc >= trip_mc;
  if (!initialized_) {
    target_ = throttle ? std::clamp(current_state + 1, lower_, upper_) : kNoTarget;
  } else if (throttle && trend == ThermalTrend::kRaising) {
    target_ = std::clamp(current_state + 1, lower_, upper_);
  } else if (!throttle && trend == ThermalTrend::kDropping) {
    target_ = current_state <= lower_ ? kNoTarget : std::clamp(current_state - 1, lower_, upper_);
  }
  initialized_ = true;
  return target_;
}

PowerAllocator::PowerAllocator(const Settings& settings) : settings_(settings) {
  const int64_t range_mc = settings.control_mc - settings.switch_on_mc;
  if (range_mc > 0) {
    k_po_ = fixed(settings.sustainable_mw) / range_mc;
    k_pu_ = fixed(2 * settings.sustainable_mw) / range_mc;
    k_i_ = std::max<int64_t>(k_pu_ / 10, 1);
  }
}

int64_t PowerAllocator::budget_mw(int64_t temperature_mc) {
  if (temperature_mc < settings_.switch_on_mc) {
    error_integral_ = 0;
    return settings_.max_mw;
  }
  const int64_t error = fixed(settings_.control_mc - temperature_mc);
  const int64_t proportional = fixed_product(error < 0 ? k_po_ : k_pu_, error);
  int64_t integral = fixed_product(k_i_, error_integral_);
  if (error < fixed(settings_.integral_cutoff_mc)) {
    const int64_t next = integral + fixed_product(k_i_, error);
    if (std::abs(next) < fixed(settings_.max_mw)) {
      integral = next;
      error_integral_ += error;
    }
  }
  const int64_t range = settings_.sustainable_mw + ((proportional + integral) >> kFractionBits);
  return std::clamp<int64_t>(range, 0, settings_.max_mw);
}

std::vector<int64_t> share_power(std::span<const PowerActor> actors, int64_t budget_mw) {
  int64_t total = 0;
  for (const PowerActor& actor : actors) total += actor.requested_mw;
  const bool nothing_asked = total == 0;
  if (nothing_asked) total = std::ssize(actors);
  std::vector<int64_t> granted;
  int64_t unused = 0, headroom = 0;
  for (const PowerActor& actor : actors) {
    const int64_t request = nothing_asked ? 1 : actor.requested_mw;
    const int64_t share = divide_rounded(request * budget_mw, total);
    granted.push_back(std::min(share, actor.max_mw));
    unused += share - granted.back();
    headroom += actor.max_mw - granted.back();
  }
  unused = std::min(unused, headroom);
  if (unused == 0) return granted;
  for (size_t i = 0; i < granted.size(); ++i) {
    granted[i] += divide_rounded((actors[i].max_mw - granted[i]) * unused, headroom);
  }
  return granted;
}

}  // namespace edgewright
