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
  json["seconds"] = report.seconds;
  json["hottest_c"] = report.hottest_c;
  json["energy_j"] = report.energy_j;
  json["mean_power_w"] = report.mean_power_w;
  json["meter"] = report.meter;
  if (!report.advice.empty()) json["advice"] = report.advice;
  return finish_document(json);
}

}  // namespace edgewright
