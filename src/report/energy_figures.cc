#include "report/energy_figures.h"

namespace edgewright {

void add_energy(const EnergyFigures& energy, const char* unit_key, Json& json) {
  Json& out = json["energy"] = {{"measured", energy.measured}, {"method", energy.method}};
  if (!energy.measured) return;
  out["energy_j"] = energy.energy_j;
  out["window_s"] = energy.window_s;
  out["mean_power_w"] = energy.mean_power_w;
  out["samples"] = energy.samples;
  out["samples_per_s"] =
      energy.window_s > 0 ? static_cast<double>(energy.samples - 1) / energy.window_s : 0;
  if (energy.hottest_c > 0) out["hottest_c"] = energy.hottest_c;
  json[unit_key] = energy.mj_per_unit;
}

}  // namespace edgewright
