#include "edgewright/split.h"

#include <algorithm>
#include <cmath>

#include "split/choose.h"
#include "split/profile_file.h"
#include "split/sweep.h"

namespace edgewright {
namespace {

// What a network may have: from a sensor's radio to a rack's cable.
constexpr double kLowestMbitPerS = 0.01, kHighestMbitPerS = 100000;

struct LimitName {
  const char* name;
  double unit_size;
  std::optional<double> SplitLimits::* bound;
};
constexpr LimitName kLimitNames[] = {
    {"device-weights-mb", 1e6, &SplitLimits::device_weight_bytes},
    {"device-energy-mj", 1, &SplitLimits::device_energy_mj},
    {"server-ms", 1e3, &SplitLimits::server_us},
    {"sent-mb", 1e6, &SplitLimits::sent_bytes},
    {"latency-ms", 1e3, &SplitLimits::latency_us},
};

Result<SplitGoal> goal_of(const SplitOptions& options) {
  SplitGoal goal;
  if (options.objective == "throughput") {
    goal.objective = SplitObjective::kThroughput;
  } else if (options.objective != "latency") {
    return usage_error("found --objective {}, expected latency or throughput", options.objective);
  }
  for (const auto& [name, bound] : options.limits) {
    const auto* row = std::ranges::find_if(
        kLimitNames, [&name = name](const LimitName& known) { return known.name == name; });
    if (row == std::end(kLimitNames)) {
      std::vector<std::string_view> names;
      for (const LimitName& known : kLimitNames) names.emplace_back(known.name);
      return usage_error("found --limit {}, expected one of {}", name, fmt::join(names, ", "));
    }
    if (!(bound >= 0)) return usage_error("found --limit {}={}, expected at least 0", name, bound);
    goal.limits.*row->bound = bound * row->unit_size;
  }
  return goal;
}

SplitCut cut_of(const SplitProblem& problem, const SplitCandidate& candidate) {
  const SplitCost& cost = candidate.cost;
  SplitCut cut{candidate.cut,
               cost.latency_us,
               cost.bottleneck_us,
               cost.tier_us,
               cost.hop_us,
               cost.sent_bytes,
               {},
               cost.device_weight_bytes,
               cost.device_energy_mj,
               candidate.broken_limits};
  if (cost.sent_tensors.empty()) return cut;
  for (const size_t tensor : cost.sent_tensors[0]) {
    cut.sent_tensors.push_back(problem.tensors[tensor].name);
  }
  return cut;
}

SplitCut cut_of(const SplitProblem& problem, const Placement& placement) {
  return cut_of(
      problem,
      SplitCandidate{placement, cut_name(problem, placement), cost_of(problem, placement), {}});
}

Result<SplitMap> map_of(const SplitProblem& problem) {
  // Eight steps a decade from 0.1 Mbit/s to 1 Gbit/s.
  std::vector<double> rates;
  for (int step = 0; step <= 32; ++step) rates.push_back(0.1 * std::pow(10, step / 8.0));
  EDGEWRIGHT_ASSIGN(CutMap map, cut_map(problem, std::move(rates),
                                        {0, 1e3, 2e3, 5e3, 10e3, 20e3, 50e3, 100e3, 200e3, 500e3}));
  SplitMap result{std::move(map.mbit_per_s), {}, std::move(map.cuts), std::move(map.total_us)};
  for (const double latency_us : map.latency_us) result.latency_ms.push_back(latency_us / 1e3);
  return result;
}

Status set_link(const SplitOptions& options, SplitProblem& problem, SplitReport& report) {
  if (!options.bandwidth_mbit_s) {
    return usage_error("the link is missing; give --bandwidth-mbit-s");
  }
  const double rate = *options.bandwidth_mbit_s;
  if (!(rate >= kLowestMbitPerS && rate <= kHighestMbitPerS) || !(options.latency_ms >= 0)) {
    return usage_error("found {} Mbit/s and {} ms, expected {} to {} Mbit/s and at least 0 ms",
                       rate, options.latency_ms, kLowestMbitPerS, kHighestMbitPerS);
  }
  problem.hops[0].us_per_byte = us_per_byte_at(rate);
  problem.hops[0].us_per_result_byte = us_per_byte_at(rate);
  problem.hops[0].fixed_us = options.latency_ms * 1e3;
  report.assumptions.push_back(
      fmt::format("link: {:g} Mbit/s (10^6 bits) each way, {:g} ms once for a request", rate,
                  options.latency_ms));
  return {};
}

Status fill_report(const SplitProblem& problem, const SplitGoal& goal, const SplitOptions& options,
                   SplitReport& report) {
  EDGEWRIGHT_ASSIGN(const SplitChoice choice, choose_split(problem, goal));
  report.best = cut_of(problem, choice.best);
  if (choice.runner_up) report.runner_up = cut_of(problem, *choice.runner_up);
  report.passed = report.best.broken_limits.empty();
  report.is_exact = choice.is_exact;
  report.lower_bound_us = choice.lower_bound_us;
  Placement everywhere(problem.layers.size(), 0);
  report.all_on_device = cut_of(problem, everywhere);
  std::ranges::fill(everywhere, static_cast<uint8_t>(problem.hops.size()));
  everywhere[0] = 0;
  report.all_on_server = cut_of(problem, everywhere);
  if (problem.tiers() == 2) {
    report.heuristics["bottleneck_first"] = cut_of(problem, bottleneck_first(problem));
    report.heuristics["progressive"] = cut_of(problem, progressive(problem));
  }
  EDGEWRIGHT_ASSIGN(const auto crossings,
                    bandwidth_crossings(problem, kLowestMbitPerS, kHighestMbitPerS));
  for (const auto& crossing : crossings) {
    report.crossings.push_back({crossing.mbit_per_s, crossing.from, crossing.to});
  }
  if (options.map) {
    EDGEWRIGHT_ASSIGN(report.map, map_of(problem));
  }
  return {};
}

}  // namespace

Result<SplitReport> plan_split(const SplitOptions& options) {
  SplitReport report;
  report.objective = options.objective;
  EDGEWRIGHT_ASSIGN(const SplitGoal goal, goal_of(options));
  if (options.profile.empty()) {
    return usage_error("the computation is missing; give --profile FILE.csv");
  }
  EDGEWRIGHT_ASSIGN(SplitProblem problem, read_profile_file(options.profile));
  report.assumptions.push_back(
      fmt::format("times and sizes: as measured in {}; 1 MB is 10^6 bytes", options.profile));
  EDGEWRIGHT_TRY(set_link(options, problem, report));
  EDGEWRIGHT_TRY(fill_report(problem, goal, options, report));
  return report;
}

}  // namespace edgewright
