#include "split/percentiles.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "split/solve.h"

namespace edgewright {
namespace {

constexpr double kUsPerByteAtMbitPerS = 8;

double result_bytes_beyond_device(const SplitProblem& problem, const Placement& placement) {
  double bytes = 0;
  for (size_t i = 0; i < placement.size(); ++i) {
    if (placement[i] > 0) bytes += problem.layers[i].result_bytes;
  }
  return bytes;
}

}  // namespace

LinkScenarios::LinkScenarios(const Link& link, size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < count; ++i) states_.push_back(sample_state(link, random));
}

LinkScenarios::LinkScenarios(const Link& link, LinkTrace uplink, size_t count)
    : uplink_(std::move(uplink)) {
  // The rate by which candidates are found is that of a second, as long as a request may take.
  constexpr double kWindowMs = 1000;
  for (size_t i = 0; i < count; ++i) {
    const double start_ms = static_cast<double>(i) / static_cast<double>(count) *
                            static_cast<double>(uplink_.period_ms());
    starts_ms_.push_back(start_ms);
    LinkState state = mean_state(link);
    state.uplink_mbit_s = std::max(0.001, mbit_s_at(uplink_, start_ms, kWindowMs));
    states_.push_back(state);
  }
}

double LinkScenarios::hop_us(size_t scenario, double sent_bytes, double result_bytes) const {
  const LinkState& state = states_[scenario];
  const double fixed_us =
      1e3 * state.round_trip_ms + result_bytes * kUsPerByteAtMbitPerS / state.downlink_mbit_s;
  if (starts_ms_.empty()) return fixed_us + sent_bytes * kUsPerByteAtMbitPerS / state.uplink_mbit_s;
  const double start_ms = starts_ms_[scenario];
  return fixed_us + 1e3 * (delivered_ms(uplink_, start_ms, sent_bytes) - start_ms);
}

double percentile_us(std::span<const double> sorted_us, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted_us.size())));
  return sorted_us[std::clamp<size_t>(rank, 1, sorted_us.size()) - 1];
}

LatencySpread spread_of(std::vector<double> latencies_us) {
  std::ranges::sort(latencies_us);
  const double sum = std::accumulate(latencies_us.begin(), latencies_us.end(), 0.0);
  return {sum / static_cast<double>(latencies_us.size()), percentile_us(latencies_us, 0.5),
          percentile_us(latencies_us, 0.9), percentile_us(latencies_us, 0.95),
          percentile_us(latencies_us, 0.99)};
}

std::vector<double> scenario_latencies_us(const SplitProblem& problem, const Placement& placement,
                                          const LinkScenarios& scenarios) {
  const SplitCost cost = cost_of(problem, placement);
  const bool uses_link = std::ranges::any_of(placement, [](uint8_t tier) { return tier > 0; });
  const double results = result_bytes_beyond_device(problem, placement);
  std::vector<double> latencies;
  for (size_t i = 0; i < scenarios.count(); ++i) {
    const double hop_us = uses_link ? scenarios.hop_us(i, cost.sent_bytes[0], results) : 0;
    latencies.push_back(cost.latency_us - (uses_link ? cost.hop_us[0] : 0) + hop_us);
  }
  return latencies;
}

Result<Placement> best_at_percentile(const SplitProblem& problem, const LinkScenarios& scenarios,
                                     double share, const std::vector<Placement>& others) {
  // States spread over the range of rates stand for all of them.
  constexpr size_t kStates = 15;
  std::vector<size_t> order(scenarios.count());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return scenarios.state(i).uplink_mbit_s; });
  std::vector<Placement> candidates = others;
  for (size_t i = 0; i < kStates; ++i) {
    const LinkState& state = scenarios.state(order[i * (order.size() - 1) / (kStates - 1)]);
    SplitProblem changed = problem;
    changed.hops[0].us_per_byte = kUsPerByteAtMbitPerS / state.uplink_mbit_s;
    changed.hops[0].us_per_result_byte = kUsPerByteAtMbitPerS / state.downlink_mbit_s;
    changed.hops[0].fixed_us = 1e3 * state.round_trip_ms;
    EDGEWRIGHT_ASSIGN(Placement placement, minimum_cut(changed));
    if (std::ranges::find(candidates, placement) == candidates.end()) {
      candidates.push_back(std::move(placement));
    }
  }
  size_t best = 0;
  double best_us = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    auto latencies = scenario_latencies_us(problem, candidates[i], scenarios);
    std::ranges::sort(latencies);
    const double latency_us = percentile_us(latencies, share);
    if (i == 0 || latency_us < best_us) {
      best = i;
      best_us = latency_us;
    }
  }
  return candidates[best];
}

SplitHop hop_of(const LinkState& state, const Link& link) {
  SplitHop hop;
  hop.us_per_byte = kUsPerByteAtMbitPerS / state.uplink_mbit_s;
  hop.us_per_result_byte = kUsPerByteAtMbitPerS / state.downlink_mbit_s;
  hop.fixed_us = 1e3 * state.round_trip_ms;
  hop.mj_per_byte = send_energy_mj(link, 1);
  hop.price_per_byte = link.price_per_gb * 1e-9;
  return hop;
}

SplitHop hop_of(const Link& link) { return hop_of(mean_state(link), link); }

}  // namespace edgewright
