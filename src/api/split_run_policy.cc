#include "api/split_run_policy.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"

namespace edgewright {
namespace {

constexpr size_t kMaxStateBytes = size_t{64} << 20;
constexpr double kBytesPerGb = 1e9, kUsPerHour = 3.6e9;

using MakePolicy = std::unique_ptr<OffloadPolicy> (*)(size_t actions, uint64_t seed);
constexpr std::pair<std::string_view, MakePolicy> kPolicies[] = {
    {"lin-ucb",
     [](size_t actions, uint64_t /*seed*/) { return make_lin_ucb(actions, WayChoice::kFeatures); }},
    {"tabular", [](size_t actions, uint64_t seed) { return make_tabular(actions, seed); }},
    {"dqn",
     [](size_t actions, uint64_t seed) { return make_dqn(actions, WayChoice::kFeatures, seed); }}};

const MakePolicy* find_policy(std::string_view name) {
  const auto* row =
      std::ranges::find(kPolicies, name, [](const auto& known) { return known.first; });
  return row == std::end(kPolicies) ? nullptr : &row->second;
}

WayCosts costs_of(const SplitRunChoice& choice) {
  WayCosts costs;
  costs.weights.per_energy_mj = choice.per_energy_mj;
  costs.weights.per_device_ms = choice.per_device_ms;
  costs.weights.per_price = choice.per_price;
  costs.device_power_mw = choice.device_power_mw;
  costs.radio_power_mw = choice.radio_power_mw;
  costs.price_per_byte = choice.price_per_gb / kBytesPerGb;
  costs.price_per_server_us = choice.server_price_per_hour / kUsPerHour;
  return costs;
}

}  // namespace

Result<CutGoal> cut_goal(const SplitRunChoice& choice) {
  if (choice.by == "throughput") return CutGoal::kThroughput;
  if (choice.by == "latency" || find_policy(choice.by) != nullptr) {
    const double figures[] = {
        choice.per_energy_mj,        choice.per_device_ms,  choice.per_price,
        choice.device_power_mw,      choice.radio_power_mw, choice.price_per_gb,
        choice.server_price_per_hour};
    if (std::ranges::all_of(figures, [](double figure) { return figure >= 0; })) {
      return CutGoal::kLatency;
    }
    return usage_error("weights, powers and prices of --choose must be at least 0");
  }
  return usage_error(
      "found by={} in --choose, expected latency, throughput, lin-ucb, tabular or dqn", choice.by);
}

Result<std::shared_ptr<WayChoice>> way_choice(const SplitRunOptions& options,
                                              std::span<const ReadyCut> cuts) {
  const MakePolicy* const make = find_policy(options.choice.by);
  if (make == nullptr) {
    if (options.choice.state.empty()) return std::shared_ptr<WayChoice>();
    return usage_error("state={} is of a policy; choose by lin-ucb, tabular or dqn",
                       options.choice.state);
  }
  if (!options.cut.empty()) return usage_error("a policy chooses the cut; leave out --cut");
  const bool can_race = options.fallback;  // it takes the rests of all cuts on the device
  auto policy = (*make)(WayChoice::count(cuts, can_race), options.seed);
  if (!options.choice.state.empty() && std::filesystem::exists(options.choice.state)) {
    EDGEWRIGHT_ASSIGN(const std::string text, read_file(options.choice.state, kMaxStateBytes));
    auto status = policy->load(text);
    if (!status.ok()) return std::move(status).error().at(options.choice.state);
  }
  return std::make_shared<WayChoice>(std::move(policy), costs_of(options.choice), can_race);
}

Status keep_ways(const SplitRunChoice& choice, WayChoice* ways, SplitRunReport& report) {
  if (ways == nullptr) return {};
  report.mean_cost = ways->mean_cost();
  if (choice.state.empty()) return {};
  return write_file(choice.state, ways->policy().save());
}

}  // namespace edgewright
