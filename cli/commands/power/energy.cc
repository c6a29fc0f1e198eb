#include <charconv>

#include "command.h"
#include "edgewright/power.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string trace;
  std::vector<std::string> windows;
  PowerEnergyOptions energy;
};

Result<std::pair<double, double>> parse_window(const std::string& text) {
  double from = 0, to = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, from);
  const bool colon = first.ec == std::errc() && first.ptr != end && *first.ptr == ':';
  const auto second = colon ? std::from_chars(first.ptr + 1, end, to) : first;
  if (!colon || second.ec != std::errc() || second.ptr != end) {
    return usage_error("found '--window {}', expected seconds as in 1.5:3", text);
  }
  return std::pair(from, to);
}

std::string summary(const PowerEnergyReport& report) {
  std::vector<std::vector<std::string>> rows = {{"window s", "energy mJ", "+- mJ", "mean W"}};
  for (const EnergyWindow& window : report.windows) {
    rows.push_back({fmt::format("{:g} to {:g}", window.start_s, window.end_s),
                    fmt::format("{:.6f}", window.energy_uj * 1e-3),
                    fmt::format("{:.3g}", window.uncertainty_uj * 1e-3),
                    fmt::format("{:.4g}", window.mean_power_w)});
  }
  return table(rows) +
         fmt::format("{} samples, one every {:.4g} s; {}\n", report.samples, report.sample_period_s,
                     report.method) +
         warnings_text(report.warnings);
}

}  // namespace

Action declare_power_energy(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  auto& energy = options->energy;
  app.add_option("TRACE", options->trace, "CSV of time and power, or an MLPerf Tiny energy file")
      ->required();
  app.add_option("--timestamps", energy.timestamps,
                 "JSON list of seconds; pairs 1-2, 3-4, ... are windows");
  app.add_option("--window", options->windows, "a window in seconds")->type_name("FROM:TO");
  app.add_option("--gap-factor", energy.gap_factor, "a step this many times the usual is a gap")
      ->check(CLI::Range(1.0, 1e6));
  app.add_option("--counter-range-uj", energy.counter_range_uj,
                 "where an energy counter wraps (max_energy_range_uj of powercap)");
  app.add_option("--max-power-w", energy.max_power_w,
                 "highest power of the device, to tell wraps that nobody saw");
  return [options, &common]() -> Result<Outcome> {
    (void)common;
    for (const std::string& text : options->windows) {
      EDGEWRIGHT_ASSIGN(const auto window, parse_window(text));
      options->energy.windows.push_back(window);
    }
    EDGEWRIGHT_ASSIGN(const PowerEnergyReport report,
                      power_energy(options->trace, options->energy));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
