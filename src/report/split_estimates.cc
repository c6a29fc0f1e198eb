#include "edgewright/split.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const PrivacyReport& report) {
  Json json = document("split privacy", true, report.warnings);
  json["analytic_sigma"] = report.analytic_sigma;
  json["classical_sigma"] = report.classical_sigma ? Json(*report.classical_sigma) : Json(nullptr);
  json["sigma"] = report.sigma;
  json["exact_epsilon"] = report.exact_epsilon;
  json["rdp_epsilon"] = report.rdp_epsilon;
  json["zcdp_epsilon"] = report.zcdp_epsilon;
  json["layers"] = Json::array();
  for (const auto& layer : report.layers) {
    json["layers"].push_back({{"name", layer.name},
                              {"sensitivity", layer.sensitivity},
                              {"weight", layer.weight},
                              {"sigma", layer.sigma}});
  }
  return finish_document(json);
}

std::string to_json(const SpeculateReport& report) {
  Json json = document("split speculate", true, report.warnings);
  json["length"] = report.length;
  json["speedup"] = report.speedup;
  json["ms_per_token"] = report.ms_per_token;
  json["plain_ms_per_token"] = report.plain_ms_per_token;
  json["best_length"] = report.best_length;
  json["best_speedup"] = report.best_speedup;
  json["round_trip_ms"] = report.round_trip_ms;
  json["break_even_ms"] = report.break_even_ms;
  json["lengths"] = Json::array();
  for (const auto& [round_trip_ms, length] : report.lengths) {
    json["lengths"].push_back({{"round_trip_ms", round_trip_ms}, {"best_length", length}});
  }
  return finish_document(json);
}

std::string to_json(const OffloadReport& report) {
  Json json = document("split offload", true, report.warnings);
  json["mean_mbit_s"] = report.mean_mbit_s;
  json["oracle_cost"] = report.oracle_cost;
  json["policies"] = Json::array();
  for (const OffloadFigures& figures : report.policies) {
    json["policies"].push_back({{"policy", figures.policy},
                                {"mean_cost", figures.mean_cost},
                                {"regret_share", figures.regret_share},
                                {"chosen", figures.chosen}});
  }
  return finish_document(json);
}

}  // namespace edgewright
