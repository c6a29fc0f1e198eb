#pragma once

#include "base/json.h"
#include "edgewright/power.h"

namespace edgewright {

// Adds `energy`, and the energy of one token or inference under a name when it was measured.
void add_energy(const EnergyFigures& energy, const char* unit_key, Json& json);

}  // namespace edgewright
