#include <cstdlib>

#include "command.h"
#include "edgewright/power.h"
#include "energy_text.h"

namespace edgewright::cli {

std::string environment_or(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

std::string energy_text(const EnergyFigures& energy, const char* unit) {
  if (!energy.measured) return "";
  const std::string heat =
      energy.hottest_c > 0 ? fmt::format(", hottest zone {:.0f} C", energy.hottest_c) : "";
  return fmt::format("energy      {:.3f} mJ/{}, {:.2f} W on average ({}{})\n", energy.mj_per_unit,
                     unit, energy.mean_power_w, energy.method, heat);
}

}  // namespace edgewright::cli
