#include "base/file.h"
#include "edgewright/power.h"
#include "power/energy_trace.h"

namespace edgewright {
namespace {

constexpr size_t kMaxTraceBytes = size_t{2} << 30;

std::string method_of(EnergyTrace::Kind kind) {
  switch (kind) {
    case EnergyTrace::Kind::kPower: return "trapezoids between power samples";
    case EnergyTrace::Kind::kCounter: return "differences of an energy counter";
    case EnergyTrace::Kind::kSteps: return "sum of energy samples";
  }
  return "";
}

}  // namespace

Result<PowerEnergyReport> power_energy(const std::string& path, const PowerEnergyOptions& options) {
  EDGEWRIGHT_ASSIGN(const std::string bytes, read_file(path, kMaxTraceBytes));
  const bool tiny = !bytes.empty() && static_cast<unsigned char>(bytes[0]) == 0xF1;
  EDGEWRIGHT_ASSIGN(const EnergyTrace trace,
                    tiny ? parse_trace_mlperf_tiny(bytes, path) : parse_trace_csv(bytes, path));
  IntegrationOptions integration{.windows = options.windows,
                                 .gap_factor = options.gap_factor,
                                 .counter_range_j = options.counter_range_uj * 1e-6,
                                 .max_power_w = options.max_power_w};
  if (!options.timestamps.empty()) {
    EDGEWRIGHT_ASSIGN(const std::string json, read_file(options.timestamps, kMaxTraceBytes));
    EDGEWRIGHT_ASSIGN(const auto windows, parse_windows(json, options.timestamps));
    integration.windows.insert(integration.windows.end(), windows.begin(), windows.end());
  }
  auto result = integrate(trace, integration);
  if (!result.ok()) return std::move(result).error().at(path);
  PowerEnergyReport report{.method = method_of(trace.kind),
                           .sample_period_s = result->sample_period_s,
                           .samples = result->samples,
                           .duplicates = result->duplicates,
                           .wraps = result->wraps,
                           .warnings = std::move(result->warnings)};
  for (const TraceWindow& window : result->windows) {
    report.windows.push_back({window.start_s, window.end_s, window.energy_uj,
                              window.energy_uj * 1e-6 / (window.end_s - window.start_s),
                              window.uncertainty_uj});
  }
  for (const TraceGap& gap : result->gaps) {
    report.gaps.push_back({gap.start_s, gap.end_s, gap.energy_uj, gap.uncertainty_uj, gap.reason});
  }
  return report;
}

}  // namespace edgewright
