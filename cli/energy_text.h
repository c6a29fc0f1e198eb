#pragma once

#include <string>

#include "edgewright/power.h"

namespace edgewright::cli {

// Where this machine's meters are, whom an engine tells what it does, and whose advice it takes
// and on which CPUs it has stages of layers:
// variables that whoever starts engines under a governor sets (docs/commands/power.md).
constexpr const char* kPowerRoot = "EDGEWRIGHT_POWER_ROOT";
constexpr const char* kPhaseFile = "EDGEWRIGHT_PHASE_FILE";
constexpr const char* kAdviceFile = "EDGEWRIGHT_ADVICE_FILE";
constexpr const char* kStages = "EDGEWRIGHT_STAGES";

// A line on what was measured; empty when nothing was.
std::string energy_text(const EnergyFigures& energy, const char* unit);

}  // namespace edgewright::cli
