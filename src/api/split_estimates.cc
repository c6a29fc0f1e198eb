#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "device/link.h"
#include "edgewright/split.h"
#include "split/offload/simulate.h"
#include "split/privacy/accountant.h"
#include "split/speculation.h"

namespace edgewright {
namespace {

// Of many policies' state this is a thousandfold.
constexpr size_t kMaxStateBytes = size_t{1} << 26;
constexpr size_t kWarmUp = 500;

OffloadFigures figures_of(const std::vector<OffloadStep>& steps, OffloadPolicy& policy,
                          const std::string& name, double* oracle_cost) {
  const OffloadResult result = run_policy(steps, policy, kWarmUp);
  *oracle_cost = result.oracle_cost;
  return {
      name, result.mean_cost, result.regret_share, {result.chosen.begin(), result.chosen.end()}};
}

OffloadScenario scenario_of(const OffloadOptions& options) {
  OffloadScenario scenario;
  OffloadWorkload& work = scenario.workload;
  work.local_ms = options.local_ms;
  work.head_ms = options.head_ms;
  work.server_ms = options.server_ms;
  work.tail_ms = options.tail_ms;
  work.round_trip_ms = options.latency_ms;
  work.input_bytes = 1e3 * options.input_kb;
  work.cut_bytes = 1e3 * options.cut_kb;
  work.answer_bytes = 1e3 * options.answer_kb;
  work.patience_ms = options.patience_ms;
  work.weights.per_energy_mj = options.per_energy_mj;
  work.weights.per_device_ms = options.per_device_ms;
  scenario.interval_ms = options.interval_ms;
  scenario.steps = static_cast<size_t>(options.requests);
  scenario.seed = options.seed;
  return scenario;
}

}  // namespace

Result<PrivacyReport> reckon_privacy(const PrivacyOptions& options) {
  const PrivacyBound bound{options.epsilon, options.delta};
  PrivacyReport report;
  EDGEWRIGHT_ASSIGN(report.analytic_sigma, analytic_sigma(bound, options.sensitivity));
  if (auto classical = classical_sigma(bound, options.sensitivity); classical.ok()) {
    report.classical_sigma = *classical;
  }
  if (options.releases < 0 || !(options.sigma >= 0)) {
    return usage_error("found {} releases of sigma {}, expected both at least 0", options.releases,
                       options.sigma);
  }
  report.sigma = options.sigma > 0 ? options.sigma : report.analytic_sigma;
  PrivacyLoss loss;
  loss.add(report.sigma, options.sensitivity, options.releases);
  report.exact_epsilon = composed_epsilon(Accounting::kExact, loss, options.delta);
  report.rdp_epsilon = composed_epsilon(Accounting::kRdp, loss, options.delta);
  report.zcdp_epsilon = composed_epsilon(Accounting::kZcdp, loss, options.delta);
  if (options.layers.empty()) return report;
  std::vector<double> sensitivities, weights;
  for (const auto& layer : options.layers) {
    sensitivities.push_back(layer.sensitivity);
    weights.push_back(layer.weight);
  }
  EDGEWRIGHT_ASSIGN(const auto sigmas, allocate_noise(bound, sensitivities, weights));
  report.layers = options.layers;
  for (size_t i = 0; i < sigmas.size(); ++i) report.layers[i].sigma = sigmas[i];
  return report;
}

Result<SpeculateReport> plan_speculation(const SpeculateOptions& options) {
  if (!(options.acceptance >= 0 && options.acceptance <= 1) || !(options.draft_ms >= 0) ||
      !(options.target_ms > 0) || !(options.check_ms >= 0) || !(options.latency_ms >= 0)) {
    return usage_error("expected times of at least 0, a pass above 0 and an acceptance of 0 to 1");
  }
  SpeculationCosts costs{options.draft_ms, options.target_ms, options.check_ms, options.latency_ms};
  if (!options.link.empty()) {
    EDGEWRIGHT_ASSIGN(const Link link, load_link(options.link));
    costs.round_trip_ms = round_trip_ms(link);
  }
  const SpeculationPlan plan = plan_speculation(costs, options.acceptance);
  SpeculateReport report;
  report.length = plan.length;
  report.speedup = plan.speedup;
  report.ms_per_token = plan.ms_per_token;
  report.plain_ms_per_token = plan.plain_ms;
  report.best_length = plan.best_length;
  report.best_speedup = plan.best_speedup;
  report.round_trip_ms = costs.round_trip_ms;
  SpeculationCosts other = costs;
  for (const double round_trip : {0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0}) {
    other.round_trip_ms = round_trip;
    report.lengths.emplace_back(round_trip,
                                plan_speculation(other, options.acceptance).best_length);
  }
  double low = 0, high = 1e4;
  for (int step = 0; step < 60; ++step) {
    other.round_trip_ms = 0.5 * (low + high);
    (plan_speculation(other, options.acceptance).length > 0 ? low : high) = other.round_trip_ms;
  }
  report.break_even_ms = low;
  return report;
}

Result<OffloadReport> compare_offloading(const OffloadOptions& options) {
  if (options.requests <= static_cast<int64_t>(kWarmUp) || options.requests > 1000000 ||
      !(options.interval_ms > 0)) {
    return usage_error("found {} requests every {} ms, expected {} to 1000000 of them",
                       options.requests, options.interval_ms, kWarmUp + 1);
  }
  EDGEWRIGHT_ASSIGN(const LinkTrace trace, read_link_trace(options.trace));
  std::optional<LinkTrace> downlink;
  if (!options.downlink.empty()) {
    EDGEWRIGHT_ASSIGN(downlink, read_link_trace(options.downlink));
  }
  const auto steps = steps_on_trace(trace, scenario_of(options), downlink ? &*downlink : nullptr);
  OffloadReport report;
  report.mean_mbit_s = trace.mean_mbit_s();
  const auto lin_ucb = make_lin_ucb(kOffloadWays, kOffloadFeatures);
  if (!options.state.empty() && std::filesystem::exists(options.state)) {
    EDGEWRIGHT_ASSIGN(const std::string text, read_file(options.state, kMaxStateBytes));
    auto status = lin_ucb->load(text);
    if (!status.ok()) return std::move(status).error().at(options.state);
  }
  LinUcbOptions unforced_options;
  unforced_options.forced_period = 0;
  const auto unforced = make_lin_ucb(kOffloadWays, kOffloadFeatures, unforced_options);
  const auto tabular = make_tabular(kOffloadWays, options.seed);
  const auto dqn = make_dqn(kOffloadWays, kOffloadFeatures, options.seed);
  const auto local = make_fixed(kLocal, "device"), remote = make_fixed(kRemote, "server");
  const auto both = make_fixed(kSplit, "split");
  const auto raced_remote = make_fixed(kRacedRemote, "race"),
             raced_split = make_fixed(kRacedSplit, "split race");
  const std::pair<const char*, OffloadPolicy*> policies[] = {
      {"lin-ucb", lin_ucb.get()},
      {"lin-ucb, nothing forced", unforced.get()},
      {"tabular", tabular.get()},
      {"dqn", dqn.get()},
      {"always device", local.get()},
      {"always server", remote.get()},
      {"always split", both.get()},
      {"always race", raced_remote.get()},
      {"always split and race", raced_split.get()}};
  for (const auto& [name, policy] : policies) {
    report.policies.push_back(figures_of(steps, *policy, name, &report.oracle_cost));
  }
  if (!options.state.empty()) EDGEWRIGHT_TRY(write_file(options.state, lin_ucb->save()));
  return report;
}

}  // namespace edgewright
