#include "edgewright/power.h"
#include "report/document.h"

namespace edgewright {
namespace {

Json claims_json(const SimulatedRun& run) {
  Json out = Json::array();
  for (const LatencyClaim& claim : run.claims) {
    Json item = {{"percentile", claim.percentile},
                 {"supported", claim.supported},
                 {"requests", claim.requests},
                 {"needed", claim.needed}};
    if (claim.supported) item["latency_us"] = claim.latency_us;
    out.push_back(std::move(item));
  }
  return out;
}

// The keys of the command itself.
void add_figures(Json& json, const SimulatedRun& run) {
  json["energy_mj_per_token"] = run.energy_mj_per_token;
  json["latency_us"] = run.latency_us;
  json["sustained_tokens_per_s"] = run.sustained_tokens_per_s;
  json["peak_temperature_c"] = run.peak_temperature_c;
  json["choice"] = {{"policy", run.policy}, {"setting", run.usual_setting}};
}

Json series_json(const SimulatedRun& run) {
  Json out = Json::array();
  for (const SimulatedRun::Sample& sample : run.series) {
    out.push_back({{"time_s", sample.time_s},
                   {"tokens_per_s", sample.tokens_per_s},
                   {"power_w", sample.power_w},
                   {"skin_c", sample.skin_c},
                   {"die_c", sample.die_c},
                   {"setting", sample.setting}});
  }
  return out;
}

Json run_json(const SimulatedRun& run) {
  Json json;
  add_figures(json, run);
  json["energy_mj_per_request"] = run.energy_mj_per_request;
  json["burst_tokens_per_s"] = run.burst_tokens_per_s;
  json["mean_tokens_per_s"] = run.mean_tokens_per_s;
  json["peak_skin_c"] = run.peak_skin_c;
  json["requests"] = run.requests;
  json["tokens"] = run.tokens;
  json["setting_changes"] = run.setting_changes;
  json["simulated_s"] = run.simulated_s;
  json["request_p50_us"] = run.request_p50_us;
  json["request_max_us"] = run.request_max_us;
  json["request_p95_us"] = run.request_p95_us ? Json(*run.request_p95_us) : Json();
  json["latency_claims"] = claims_json(run);
  json["energy_j"] = Json::object();
  for (const auto& [component, joules] : run.energy_j) json["energy_j"][component] = joules;
  json["energy_balance"] = run.energy_balance;
  json["ageing_acceleration"] = run.ageing_acceleration;
  json["timing_derating"] = run.timing_derating;
  json["battery_left_mwh"] = run.battery_left_mwh;
  json["throttles"] = Json::array();
  for (const auto& [time_s, cause] : run.throttles) {
    json["throttles"].push_back({{"time_s", time_s}, {"cause", cause}});
  }
  json["residency"] = Json::array();
  for (const SimulatedRun::Residency& residency : run.residency) {
    json["residency"].push_back({{"cluster", residency.cluster},
                                 {"frequency_khz", residency.frequency_khz},
                                 {"share", residency.share}});
  }
  json["series"] = series_json(run);
  return json;
}

Json point_json(const PowerPlanPoint& point) {
  return {{"precision", point.precision},
          {"batch", point.batch},
          {"duty", point.duty},
          {"prefill", point.prefill},
          {"decode", point.decode},
          {"energy_mj_per_token", point.energy_mj_per_token},
          {"latency_us", point.latency_us},
          {"first_token_us", point.first_token_us},
          {"sustained_tokens_per_s", point.sustained_tokens_per_s},
          {"power_w", point.power_w},
          {"skin_c", point.skin_c},
          {"die_c", point.die_c},
          // Without a battery there is nothing to last.
          {"battery_hours", point.battery_hours > 0 ? Json(point.battery_hours) : Json()}};
}

}  // namespace

std::string to_json(const PowerSimulateReport& report) {
  Json json = document("power simulate", report.passed, report.warnings);
  json["device"] = report.device;
  json["model"] = report.model;
  json["precision"] = report.precision;
  if (!report.runs.empty()) add_figures(json, report.runs.front());
  json["runs"] = Json::array();
  for (const SimulatedRun& run : report.runs) json["runs"].push_back(run_json(run));
  return finish_document(json);
}

std::string to_json(const PowerPlanReport& report) {
  Json json = document("power plan", report.passed, report.warnings);
  json["device"] = report.device;
  json["model"] = report.model;
  json["energy_mj_per_token"] = report.choice.energy_mj_per_token;
  json["latency_us"] = report.choice.latency_us;
  json["sustained_tokens_per_s"] = report.choice.sustained_tokens_per_s;
  json["peak_temperature_c"] = report.choice.die_c;
  json["choice"] = point_json(report.choice);
  json["front"] = Json::array();
  for (const PowerPlanPoint& point : report.front) json["front"].push_back(point_json(point));
  json["constraint_costs"] = Json::array();
  for (const PowerPlanCost& cost : report.costs) {
    json["constraint_costs"].push_back({{"constraint", cost.constraint},
                                        {"binding", cost.binding},
                                        {"energy_mj_per_token_without", cost.energy_mj_per_token}});
  }
  json["examined"] = report.examined;
  return finish_document(json);
}

}  // namespace edgewright
