#include "energy_text.h"
#include "command.h"
#include "edgewright/power.h"

namespace edgewright::cli {

std::string energy_text(const EnergyFigures& energy, const char* unit) {
  if (!energy.measured) return "";
  const std::string heat =
      energy.hottest_c > 0 ? fmt::format(", hottest zone {:.0f} C", energy.hottest_c) : "";
  return fmt::format("energy      {:.3f} mJ/{}, {:.2f} W on average ({}{})\n", energy.mj_per_unit,
                     unit, energy.mean_power_w, energy.method, heat);
}

}  // namespace edgewright::cli
