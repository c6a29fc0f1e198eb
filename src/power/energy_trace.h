#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace edgewright {

// A recorded trace: power at points in time, or a counter of energy, or the energy of equal steps.
struct EnergyTrace {
  enum class Kind { kPower, kCounter, kSteps };
  Kind kind = Kind::kPower;
  std::vector<double> time_s;  // not descending; equal stamps are a jump. Empty for kSteps
  std::vector<double> value;   // W, or J of a counter, or uJ of each step
  double step_s = 0;           // kSteps: length of one
};

// CSV with a heading: a column time_s, time_ms, time_us or time_ns, and one of power_w, power_mw,
// power_uw, energy_uj, energy_mj or energy_j (a counter). Other columns are left alone. kBadInput
// with the line.
Result<EnergyTrace> parse_trace_csv(std::string_view text, std::string_view file);

// An energy file of MLPerf Tiny: byte 0xF1, the sample rate in Hz and then microjoules per sample,
// all float32 in little-endian order.
Result<EnergyTrace> parse_trace_mlperf_tiny(std::string_view bytes, std::string_view file);
// A JSON list of time stamps in seconds whose pairs 1-2, 3-4, ... are windows.
Result<std::vector<std::pair<double, double>>> parse_windows(std::string_view json,
                                                             std::string_view file);

struct TraceGap {
  double start_s = 0, end_s = 0;
  double energy_uj = 0;       // of the straight line across it; part of the windows' energy
  double uncertainty_uj = 0;  // half of what the trace's lowest and highest power would differ by
  std::string reason;
};
struct TraceWindow {
  double start_s = 0, end_s = 0, energy_uj = 0;
  double uncertainty_uj = 0;  // of the gaps within
};
struct TraceIntegral {
  std::vector<TraceWindow> windows;
  std::vector<TraceGap> gaps;
  int64_t samples = 0, duplicates = 0, wraps = 0;
  double sample_period_s = 0;  // median
  std::vector<std::string> warnings;
};
struct IntegrationOptions {
  std::vector<std::pair<double, double>> windows;  // empty: the whole trace
  double gap_factor = 5;                           // a step this many times the median is a gap
  double counter_range_j = 0;                      // where a counter wraps; 0: never
  double max_power_w = 0;  // of the device, for telling two wraps; 0: the trace's own highest
};
// Power is integrated by trapezoids, cut at the windows' ends; a counter by its differences.
Result<TraceIntegral> integrate(const EnergyTrace& trace, const IntegrationOptions& options);

// Difference of a counter that wraps at `range`: the smallest non-negative one.
double counter_difference(double before, double after, double range);
// The longest time between two readings in which a counter cannot wrap unseen.
double longest_safe_gap_s(double counter_range_j, double max_power_w);

}  // namespace edgewright
