#include <algorithm>
#include <charconv>
#include <cmath>

#include "api/power_load.h"
#include "base/file.h"
#include "base/json.h"
#include "edgewright/power.h"
#include "power/early_stopping.h"
#include "power/planner.h"
#include "power/simulator.h"

namespace edgewright {
namespace {

bool parse_double(std::string_view text, double& out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  return code == std::errc() && end == text.data() + text.size();
}

// "25" or "0:25,600:35".
Result<std::vector<AmbientStep>> parse_ambient(std::string_view text) {
  std::vector<AmbientStep> steps;
  std::string_view rest = text;
  while (true) {
    const size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const size_t colon = item.find(':');
    AmbientStep step;
    const bool good = colon == std::string_view::npos
                          ? parse_double(item, step.celsius)
                          : parse_double(item.substr(0, colon), step.from_s) &&
                                parse_double(item.substr(colon + 1), step.celsius);
    const bool ascending = steps.empty() ? step.from_s == 0 : step.from_s > steps.back().from_s;
    if (!good || !ascending || std::fabs(step.celsius) > 100) {
      return usage_error("ambient '{}', expected Celsius as in 25 or 0:25,600:35", text);
    }
    steps.push_back(step);
    if (comma == std::string_view::npos) return steps;
    rest.remove_prefix(comma + 1);
  }
}

double skin_limit(double wanted, const Device& device) {
  return wanted < 0 ? device.thermal_network.skin_limit_c : wanted;
}

std::vector<LatencyClaim> claims_of(const std::vector<double>& sorted_s) {
  std::vector<LatencyClaim> claims;
  for (const double percentile : {0.90, 0.95, 0.99}) {
    const PercentileClaim rule{.percentile = percentile};
    LatencyClaim claim{.percentile = percentile,
                       .requests = std::ssize(sorted_s),
                       .needed = required_queries(rule, 0)};
    const double latency_s = claimed_latency(sorted_s, percentile);
    claim.supported = !std::isnan(latency_s);
    if (claim.supported) claim.latency_us = latency_s * 1e6;
    claims.push_back(claim);
  }
  return claims;
}

SimulatedRun run_of(const SimulationResult& result, const Machine& machine) {
  SimulatedRun run{.policy = result.policy};
  const double tokens = std::max(1.0, static_cast<double>(result.tokens));
  run.energy_mj_per_token = result.energy.total_j() * 1e3 / tokens;
  run.energy_mj_per_request =
      result.energy.total_j() * 1e3 / std::max(1.0, static_cast<double>(result.requests));
  run.mean_tokens_per_s = static_cast<double>(result.tokens) / result.simulated_s;
  run.latency_us = run.mean_tokens_per_s > 0 ? 1e6 / run.mean_tokens_per_s : 0;
  run.sustained_tokens_per_s = result.sustained_tokens_per_s;
  run.burst_tokens_per_s = result.burst_tokens_per_s;
  run.peak_temperature_c = result.peak_die_c;
  run.peak_skin_c = result.peak_skin_c;
  run.requests = result.requests;
  run.tokens = result.tokens;
  run.setting_changes = result.setting_changes;
  run.simulated_s = result.simulated_s;
  run.request_p50_us = percentile_of(result.latency_s, 0.50) * 1e6;
  run.request_max_us = result.latency_s.empty() ? 0 : result.latency_s.back() * 1e6;
  run.claims = claims_of(result.latency_s);
  for (const LatencyClaim& claim : run.claims) {
    if (claim.percentile == 0.95 && claim.supported) run.request_p95_us = claim.latency_us;
  }
  for (size_t i = 0; i < result.energy.clusters_j.size(); ++i) {
    run.energy_j.emplace_back(fmt::format("cluster:{} {}", i, machine.name(i)),
                              result.energy.clusters_j[i]);
  }
  run.energy_j.emplace_back("waiting", result.energy.waiting_j);
  run.energy_j.emplace_back("waking", result.energy.waking_j);
  run.energy_j.emplace_back("switching", result.energy.switching_j);
  run.energy_j.emplace_back("memory", result.energy.memory_j);
  run.energy_j.emplace_back("platform", result.energy.platform_j);
  std::map<std::string, int64_t> count;
  for (const SimulationSample& sample : result.series) {
    run.series.push_back({sample.time_s, sample.tokens_per_s, sample.power_w, sample.skin_c,
                          sample.die_c, sample.setting});
    if (sample.setting != "idle") ++count[sample.setting];
  }
  if (!count.empty()) {
    run.usual_setting =
        std::ranges::max_element(count, {}, [](const auto& item) { return item.second; })->first;
  }
  for (const ThrottleEvent& event : result.throttles) {
    run.throttles.emplace_back(event.time_s, event.cause);
  }
  for (const Residency& residency : result.residency) {
    run.residency.push_back({residency.cluster, residency.frequency_khz, residency.share});
  }
  run.energy_balance = result.energy_balance;
  run.ageing_acceleration = result.ageing_acceleration;
  run.timing_derating = result.timing_derating;
  run.battery_left_mwh = std::max(0.0, result.battery_left_j / 3.6);
  return run;
}

// Counter tracks in the JSON that Perfetto reads.
Status write_trace(const std::string& path, const PowerSimulateReport& report) {
  Json events = Json::array();
  int process = 0;
  for (const SimulatedRun& run : report.runs) {
    ++process;
    events.push_back({{"ph", "M"},
                      {"pid", process},
                      {"name", "process_name"},
                      {"args", {{"name", run.policy}}}});
    for (const SimulatedRun::Sample& sample : run.series) {
      const auto counter = [&](const char* name, double value) {
        events.push_back({{"ph", "C"},
                          {"pid", process},
                          {"ts", sample.time_s * 1e6},
                          {"name", name},
                          {"args", {{"value", value}}}});
      };
      counter("tokens per second", sample.tokens_per_s);
      counter("power W", sample.power_w);
      counter("skin C", sample.skin_c);
      counter("die C", sample.die_c);
    }
    for (const auto& [time_s, cause] : run.throttles) {
      events.push_back({{"ph", "i"},
                        {"pid", process},
                        {"tid", 0},
                        {"ts", time_s * 1e6},
                        {"name", "throttled: " + cause},
                        {"s", "p"}});
    }
  }
  return write_file(path, Json{{"traceEvents", events}}.dump());
}

PowerPlanPoint point_of(const OperatingPlan& plan, const Machine& machine) {
  return {.precision = plan.precision,
          .prefill = setting_text(machine, plan.prefill),
          .decode = setting_text(machine, plan.decode),
          .batch = plan.batch,
          .duty = plan.duty,
          .energy_mj_per_token = plan.energy_j_per_token * 1e3,
          .latency_us = plan.token_s * 1e6,
          .first_token_us = plan.first_token_s * 1e6,
          .sustained_tokens_per_s = plan.sustained_tokens_per_s,
          .power_w = plan.power_w,
          .skin_c = plan.skin_c,
          .die_c = plan.die_c,
          .battery_hours = plan.battery_hours};
}

}  // namespace

Result<PowerSimulateReport> power_simulate(const std::string& model,
                                           const PowerSimulateOptions& options) {
  EDGEWRIGHT_ASSIGN(const LanguageLoad load, load_of(model, options.precision));
  EDGEWRIGHT_ASSIGN(const Device device, load_device(options.device));
  EDGEWRIGHT_ASSIGN(const Machine machine, Machine::create(device));
  SimulationOptions simulation{.horizon_s = options.seconds,
                               .deadline_s = options.deadline_ms * 1e-3,
                               .max_batch = options.max_batch,
                               .batch_wait_s = options.batch_wait_ms * 1e-3,
                               .battery_j = device.battery_mwh * 3.6};
  EDGEWRIGHT_ASSIGN(simulation.ambient, parse_ambient(options.ambient));
  simulation.start_c = simulation.ambient.front().celsius;
  simulation.sample_s = std::max(0.1, options.seconds / 360);
  EDGEWRIGHT_ASSIGN(const auto requests, make_workload({.kind = options.workload,
                                                        .rate_per_s = options.rate_per_s,
                                                        .prompt_tokens = options.prompt_tokens,
                                                        .output_tokens = options.output_tokens,
                                                        .horizon_s = options.seconds,
                                                        .seed = options.seed}));
  const bool pauses = options.workload != "continuous" && options.workload != "single";
  // A supply without end is no queue of people who wait.
  const PhaseAwareOptions policy{.slack = options.slack,
                                 .hurry = pauses ? 1.0 : 0.0,
                                 .use_deadline = options.deadline_ms > 0,
                                 .platform_on_anyway = pauses,
                                 .hot_batch = options.hot_batch,
                                 .interleave = options.interleave};
  PowerSimulateReport report{.device = device.name, .model = model, .precision = options.precision};
  for (const std::string& name : options.policies) {
    EDGEWRIGHT_ASSIGN(const SimulationResult result,
                      simulate(device, load, requests, name, policy,
                               skin_limit(options.skin_limit_c, device), simulation));
    report.runs.push_back(run_of(result, machine));
    // Requests without end were all there at the beginning: nobody waited for them.
    if (options.workload == "continuous") {
      report.runs.back().claims.clear();
      report.runs.back().request_p95_us.reset();
    }
    for (const std::string& warning : result.warnings) {
      report.warnings.push_back(name + ": " + warning);
    }
    const SimulatedRun& run = report.runs.back();
    for (const LatencyClaim& claim : run.claims) {
      if (claim.supported) continue;
      report.warnings.push_back(fmt::format(
          "{}: {} requests cannot support the {:g}th percentile of latency; {} are needed", name,
          claim.requests, claim.percentile * 100, claim.needed));
    }
    // Too few for a percentile: then the slowest counts.
    const double latency_us = run.request_p95_us.value_or(run.request_max_us);
    if (options.deadline_ms > 0 && latency_us > options.deadline_ms * 1e3) {
      report.passed = false;
      report.warnings.push_back(
          fmt::format("{}: the {} takes {:.1f} ms, {:g} ms are allowed", name,
                      run.request_p95_us ? "95th percentile" : "slowest request", latency_us * 1e-3,
                      options.deadline_ms));
    }
  }
  if (!options.trace.empty()) EDGEWRIGHT_TRY(write_trace(options.trace, report));
  return report;
}

Result<PowerPlanReport> power_plan(const std::string& model, const PowerPlanOptions& options) {
  EDGEWRIGHT_ASSIGN(const Device device, load_device(options.device));
  EDGEWRIGHT_ASSIGN(const Machine machine, Machine::create(device));
  std::vector<LanguageLoad> loads;
  for (const std::string& precision : options.precisions) {
    EDGEWRIGHT_ASSIGN(loads.emplace_back(), load_of(model, precision));
  }
  const PlanLoad load{.prompt_tokens = static_cast<double>(options.prompt_tokens),
                      .output_tokens = static_cast<double>(options.output_tokens),
                      .ambient_c = options.ambient_c};
  const PlanLimits limits{.token_s = options.token_ms * 1e-3,
                          .first_token_s = options.first_token_ms * 1e-3,
                          .slack = options.slack,
                          .skin_c = skin_limit(options.skin_limit_c, device),
                          .battery_hours = options.battery_hours};
  EDGEWRIGHT_ASSIGN(const PlanResult result,
                    make_plan(device, loads, options.batches, load, limits));
  PowerPlanReport report{.device = device.name,
                         .model = model,
                         .choice = point_of(result.choice, machine),
                         .examined = result.examined};
  for (const OperatingPlan& plan : result.front) report.front.push_back(point_of(plan, machine));
  for (const ConstraintCost& cost : result.costs) {
    report.costs.push_back({cost.constraint, cost.binding, cost.energy_j_per_token * 1e3});
  }
  if (options.battery_hours > 0 && device.battery_mwh == 0) {
    report.warnings.push_back("the device has no battery; --battery-hours is without effect");
  }
  return report;
}

}  // namespace edgewright
