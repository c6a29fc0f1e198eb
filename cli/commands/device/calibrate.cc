#include "command.h"
#include "edgewright/device.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string device;
  DeviceCalibrateOptions calibrate;
};

std::string summary(const DeviceCalibrateReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"cluster", "CPU", "points", "C", "error %", "C", "k uW/V", "error %", "stated"}};
  for (const ClusterFit& fit : report.fits) {
    const auto cell = [&](double value) {
      return fit.table_only ? std::string("-") : fmt::format("{:.1f}", value);
    };
    rows.push_back({fit.cluster, fmt::format("{}", fit.first_cpu), fmt::format("{}", fit.points),
                    cell(fit.coefficient), cell(fit.coefficient_error * 100),
                    cell(fit.dynamic_coefficient), cell(fit.static_uw_per_v), cell(fit.error * 100),
                    fit.stated_coefficient == 0 ? "-"
                                                : fmt::format("{:g}{}", fit.stated_coefficient,
                                                              fit.suspicious ? " (!)" : "")});
  }
  return "power = C f V^2 on the left, C f V^2 + k V on the right; C in uW/(MHz V^2)\n" +
         table(rows) + warnings_text(report.warnings);
}

}  // namespace

Action declare_device_calibrate(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  auto& calibrate = options->calibrate;
  app.add_option("DEVICE", options->device, "a device of the catalogue, or a device file")
      ->required();
  app.add_option("MEASUREMENTS", calibrate.measurements, "powers at frequencies (freqbench CSV)")
      ->required();
  app.add_option("--voltages", calibrate.voltages, "file of CPU.KHZ=UV words");
  app.add_option("-o,--output", calibrate.output, "write the calibrated device file")
      ->type_name("FILE.toml");
  app.add_option("--suspicious-ratio", calibrate.suspicious_ratio,
                 "flag a stated coefficient that is further off than this factor")
      ->check(CLI::Range(1.0, 100.0));
  return [options, &common]() -> Result<Outcome> {
    (void)common;
    EDGEWRIGHT_ASSIGN(const DeviceCalibrateReport report,
                      calibrate_device(options->device, options->calibrate));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
