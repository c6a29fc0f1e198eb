#include "edgewright/power.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const PowerEnergyReport& report) {
  Json json = document("power energy", report.passed, report.warnings);
  json["windows"] = Json::array();
  for (const EnergyWindow& window : report.windows) {
    json["windows"].push_back({{"start_s", window.start_s},
                               {"end_s", window.end_s},
                               {"energy_uj", window.energy_uj},
                               {"mean_power_w", window.mean_power_w},
                               {"uncertainty_uj", window.uncertainty_uj}});
  }
  json["gaps"] = Json::array();
  for (const EnergyGap& gap : report.gaps) {
    json["gaps"].push_back({{"start_s", gap.start_s},
                            {"end_s", gap.end_s},
                            {"energy_uj", gap.energy_uj},
                            {"uncertainty_uj", gap.uncertainty_uj},
                            {"reason", gap.reason}});
  }
  json["method"] = report.method;
  json["sample_period_s"] = report.sample_period_s;
  json["samples"] = report.samples;
  json["duplicates"] = report.duplicates;
  json["wraps"] = report.wraps;
  return finish_document(json);
}

}  // namespace edgewright
