#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "edgewright/result.h"

namespace edgewright {

struct PowerEnergyOptions {
  std::string timestamps;                          // JSON list of window ends; empty: none
  std::vector<std::pair<double, double>> windows;  // seconds; empty: the whole trace
  double gap_factor = 5;                           // a step this many times the usual one is a gap
  double counter_range_uj = 0;                     // where an energy counter wraps; 0: never
  double max_power_w = 0;                          // of the device; 0: the trace's own highest
};
struct EnergyWindow {
  double start_s = 0, end_s = 0, energy_uj = 0, mean_power_w = 0;
  double uncertainty_uj = 0;  // that the gaps within bring
};
struct EnergyGap {
  double start_s = 0, end_s = 0, energy_uj = 0, uncertainty_uj = 0;
  std::string reason;
};
struct PowerEnergyReport {
  std::vector<EnergyWindow> windows;
  std::vector<EnergyGap> gaps;
  std::string method;
  double sample_period_s = 0;
  int64_t samples = 0, duplicates = 0, wraps = 0;
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const PowerEnergyReport& report);
// Integrates a recorded trace: CSV of time and power or of time and an energy counter, or an energy
// file of MLPerf Tiny (docs/commands/power_energy.md). kBadInput with the line.
Result<PowerEnergyReport> power_energy(const std::string& trace,
                                       const PowerEnergyOptions& options = {});

}  // namespace edgewright
