#include "edgewright/power.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const PowerGovernReport& report) {
  Json json = document("power govern", report.passed, report.warnings);
  json["device"] = report.device;
  json["policy"] = report.policy;
  json["choice"] = report.choice;
  json["reached"] = report.reached;
  json["restored"] = report.restored;
  json["rounds"] = report.rounds;
  json["writes"] = report.writes;
  json["held_s"] = report.held_s;
  // What nothing measures is not zero.
  json["hottest_c"] = report.hottest_c > 0 ? Json(report.hottest_c) : Json();
  json["energy_j"] = report.metered ? Json(report.energy_j) : Json();
  json["mean_power_w"] = report.metered ? Json(report.mean_power_w) : Json();
  json["meter"] = report.meter;
  if (!report.advice.empty()) json["advice"] = report.advice;
  return finish_document(json);
}

}  // namespace edgewright
