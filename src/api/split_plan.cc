#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "api/server_half.h"
#include "api/split_plan_codec.h"
#include "api/split_subject.h"
#include "api/split_tiers.h"
#include "edgewright/split.h"
#include "formats/onnx/onnx.h"
#include "split/choose.h"
#include "split/halves.h"
#include "split/percentiles.h"
#include "split/sweep.h"

namespace edgewright {
namespace {

// Crossings are looked for between a sensor's radio and a rack's cable.
constexpr double kLowestMbitPerS = 0.01, kHighestMbitPerS = 100000;
constexpr size_t kScenarios = 2000;

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
    {"price", 1, &SplitLimits::price},
    {"latency-ms", 1e3, &SplitLimits::latency_us},
};

// 0 when the objective is no percentile.
double percentile_share(const std::string& objective) {
  constexpr std::pair<std::string_view, double> kShares[] = {
      {"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}};
  for (const auto& [name, share] : kShares) {
    if (name == objective) return share;
  }
  return 0;
}

Result<SplitGoal> goal_of(const SplitOptions& options) {
  SplitGoal goal;
  if (options.objective == "throughput") {
    goal.objective = SplitObjective::kThroughput;
  } else if (options.objective != "latency" && percentile_share(options.objective) == 0) {
    return usage_error("found --objective {}, expected latency, throughput, p50, p90, p95 or p99",
                       options.objective);
  }
  for (const auto& [name, bound] : options.limits) {
    if (name == "agreement") {
      if (options.codecs.empty() || !(bound >= 0) || bound > 1) {
        return usage_error("found --limit agreement={}, expected 0 to 1, and a --codec", bound);
      }
      continue;
    }
    const auto* row = std::ranges::find_if(
        kLimitNames, [&name = name](const LimitName& known) { return known.name == name; });
    if (row == std::end(kLimitNames)) {
      std::vector<std::string_view> names;
      for (const LimitName& known : kLimitNames) names.emplace_back(known.name);
      return usage_error("found --limit {}, expected one of {}, agreement", name,
                         fmt::join(names, ", "));
    }
    if (!(bound >= 0)) return usage_error("found --limit {}={}, expected at least 0", name, bound);
    goal.limits.*row->bound = bound * row->unit_size;
  }
  return goal;
}

// Fills in reports of placements.
class Reporter {
 public:
  Reporter(const SplitSubject& subject, const SplitOptions& options)
      : problem_(subject.problem), scenarios_(scenarios_of(subject, options.seed)) {}

  const std::optional<LinkScenarios>& scenarios() const { return scenarios_; }

  SplitCut cut(const SplitCandidate& candidate) const {
    const SplitCost& cost = candidate.cost;
    SplitCut cut;
    cut.cut = candidate.cut;
    cut.latency_us = cost.latency_us;
    cut.bottleneck_us = cost.bottleneck_us;
    cut.tier_us = cost.tier_us;
    cut.hop_us = cost.hop_us;
    cut.sent_bytes = cost.sent_bytes;
    cut.device_weight_bytes = cost.device_weight_bytes;
    cut.device_energy_mj = cost.device_energy_mj;
    cut.price = cost.price;
    cut.broken_limits = candidate.broken_limits;
    for (const size_t tensor : cost.sent_tensors.at(0)) {
      cut.sent_tensors.push_back(problem_.tensors[tensor].name);
    }
    if (scenarios_) {
      const LatencySpread spread =
          spread_of(scenario_latencies_us(problem_, candidate.placement, *scenarios_));
      cut.percentiles = {spread.mean_us, spread.p50_us, spread.p90_us, spread.p95_us,
                         spread.p99_us};
    }
    return cut;
  }
  SplitCut cut(const Placement& placement) const {
    return cut(
        SplitCandidate{placement, cut_name(problem_, placement), cost_of(problem_, placement), {}});
  }

 private:
  static std::optional<LinkScenarios> scenarios_of(const SplitSubject& subject, uint64_t seed) {
    if (!subject.link) return std::nullopt;
    if (subject.uplink) return LinkScenarios(*subject.link, *subject.uplink, kScenarios);
    const Link& link = *subject.link;
    if (link.bandwidth_cv == 0 && link.delay_cv == 0 && link.utilisation == 0) return std::nullopt;
    return LinkScenarios(link, kScenarios, seed);
  }

  const SplitProblem& problem_;
  std::optional<LinkScenarios> scenarios_;
};

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

// With a percentile as the objective the mean's best is only one of the candidates.
Status choose_by_percentile(const SplitProblem& problem, const Reporter& reporter, double share,
                            SplitChoice& choice) {
  if (!reporter.scenarios()) return {};
  std::vector<Placement> others = {choice.best.placement, Placement(problem.layers.size(), 0)};
  if (choice.runner_up) others.push_back(choice.runner_up->placement);
  EDGEWRIGHT_ASSIGN(Placement placement,
                    best_at_percentile(problem, *reporter.scenarios(), share, others));
  if (placement == choice.best.placement) return {};
  choice.runner_up = choice.best;
  choice.best = {placement, cut_name(problem, placement), cost_of(problem, placement), {}};
  choice.is_exact = false;
  return {};
}

Status write_halves(const SplitSubject& subject, const Placement& placement,
                    const std::string& folder, SplitReport& report) {
  if (!subject.model) return usage_error("--output needs an ONNX model to cut");
  EDGEWRIGHT_ASSIGN(const ModelHalves halves,
                    split_model(*subject.model, *subject.graph_work, placement));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::pair<const char*, const Model*> files[] = {{"device.onnx", &halves.device},
                                                        {"server.onnx", &halves.server}};
  for (const auto& [name, half] : files) {
    if (half->graph->nodes().empty()) continue;
    const std::string path = (std::filesystem::path(folder) / name).string();
    EDGEWRIGHT_TRY(export_onnx(*half, path));
    report.files.push_back(path);
  }
  return {};
}

// The cuts that `split run` may want to change between: the best one and those that are best on
// other links.
std::vector<std::string> cuts_worth_having(const SplitReport& report) {
  constexpr size_t kMost = 8;
  std::vector<std::string> cuts = {report.best.cut, "input"};
  if (report.runner_up) cuts.push_back(report.runner_up->cut);
  for (const SplitCrossing& crossing : report.crossings) {
    cuts.push_back(crossing.from);
    cuts.push_back(crossing.to);
  }
  std::vector<std::string> kept;
  for (const std::string& cut : cuts) {
    const bool is_known = std::ranges::find(kept, cut) != kept.end();
    if (cut != "output" && !is_known && kept.size() < kMost) kept.push_back(cut);
  }
  return kept;
}

Status write_server_half(const ModelHalves& halves, WireForm form, const std::string& name,
                         const std::string& folder, SplitReport& report) {
  Model half = clone(halves.server);
  EDGEWRIGHT_TRY(take_wire_form(*half.graph, halves.sent, form));
  EDGEWRIGHT_ASSIGN(const auto files, form == WireForm::kCoded
                                          ? write_coded_half(half, name, folder)
                                          : write_to_repository(half, name, folder));
  report.files.insert(report.files.end(), files.begin(), files.end());
  return {};
}

// Server halves in Triton's layout, and the model by which links are measured.
Status write_repository(const SplitSubject& subject, const SplitOptions& options,
                        SplitReport& report) {
  const std::string folder = (std::filesystem::path(options.output) / "repository").string();
  EDGEWRIGHT_ASSIGN(const HalfNames names, HalfNames::of(options.model));
  for (const std::string& cut : cuts_worth_having(report)) {
    EDGEWRIGHT_ASSIGN(const Placement placement, placement_at(*subject.graph_work, cut));
    EDGEWRIGHT_ASSIGN(const ModelHalves halves,
                      split_model(*subject.model, *subject.graph_work, placement));
    if (halves.server.graph->nodes().empty()) continue;
    EDGEWRIGHT_TRY(write_server_half(halves, WireForm::kPlain, names.at(cut), folder, report));
    std::set<WireForm> written;
    for (const std::string& codec : options.codecs) {
      EDGEWRIGHT_ASSIGN(const SentForm form, parse_sent_form(codec));
      // Everything that is coded is decoded by one model.
      if (!written.insert(form.form).second) continue;
      EDGEWRIGHT_TRY(
          write_server_half(halves, form.form, names.at(cut, form.form), folder, report));
    }
  }
  EDGEWRIGHT_ASSIGN(const auto files, write_echo_model(folder));
  report.files.insert(report.files.end(), files.begin(), files.end());
  return {};
}

Status fill_report(const SplitSubject& subject, const SplitGoal& goal, const SplitOptions& options,
                   SplitReport& report) {
  const SplitProblem& problem = subject.problem;
  const Reporter reporter(subject, options);
  EDGEWRIGHT_ASSIGN(SplitChoice choice, choose_split(problem, goal));
  const double share = percentile_share(options.objective);
  if (share > 0) EDGEWRIGHT_TRY(choose_by_percentile(problem, reporter, share, choice));
  report.best = reporter.cut(choice.best);
  if (choice.runner_up) report.runner_up = reporter.cut(*choice.runner_up);
  report.passed = report.best.broken_limits.empty();
  report.is_exact = choice.is_exact;
  report.lower_bound_us = choice.lower_bound_us;
  Placement everywhere(problem.layers.size(), 0);
  report.all_on_device = reporter.cut(everywhere);
  std::ranges::fill(everywhere, static_cast<uint8_t>(problem.hops.size()));
  everywhere[0] = 0;
  report.all_on_server = reporter.cut(everywhere);
  if (problem.tiers() == 2) {
    report.heuristics["bottleneck_first"] = reporter.cut(bottleneck_first(problem));
    report.heuristics["progressive"] = reporter.cut(progressive(problem));
  }
  EDGEWRIGHT_ASSIGN(const auto crossings,
                    bandwidth_crossings(problem, kLowestMbitPerS, kHighestMbitPerS));
  for (const auto& crossing : crossings) {
    report.crossings.push_back({crossing.mbit_per_s, crossing.from, crossing.to});
  }
  if (options.map) {
    EDGEWRIGHT_ASSIGN(report.map, map_of(problem));
  }
  if (!options.output.empty() && problem.tiers() > 2) {
    EDGEWRIGHT_TRY(write_tiers(subject, options, choice.best.placement, report));
  } else if (!options.output.empty()) {
    EDGEWRIGHT_TRY(write_halves(subject, choice.best.placement, options.output, report));
    EDGEWRIGHT_TRY(write_repository(subject, options, report));
  }
  return {};
}

}  // namespace

Result<SplitReport> plan_split(const SplitOptions& options) {
  SplitReport report;
  report.objective = options.objective;
  EDGEWRIGHT_ASSIGN(const SplitGoal goal, goal_of(options));
  EDGEWRIGHT_ASSIGN(SplitSubject subject, split_subject(options));
  report.warnings = subject.warnings;
  EDGEWRIGHT_TRY(choose_sent_form(options, goal, subject, report));
  report.assumptions = subject.assumptions;
  EDGEWRIGHT_TRY(fill_report(subject, goal, options, report));
  return report;
}

}  // namespace edgewright
