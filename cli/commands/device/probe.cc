#include "command.h"
#include "edgewright/device.h"

namespace edgewright::cli {
namespace {

std::string summary(const DeviceProbeReport& report) {
  std::string text =
      fmt::format("{}: {} cores, {} CPUs, {}B of memory\n", report.cpu, report.cores, report.cpus,
                  with_prefix(static_cast<double>(report.memory_bytes)));
  std::vector<std::vector<std::string>> rows = {{"roof", "figure", "measured", "spread"}};
  for (const ProbeFigure& figure : report.figures) {
    rows.push_back({figure.group, figure.name, fmt::format("{:.4g}", figure.value),
                    fmt::format("{:.1f} %", figure.spread * 100)});
  }
  for (const ProbeScaling& row : report.scaling) {
    rows.push_back(
        {fmt::format("{} threads", row.threads), "gop_s", fmt::format("{:.4g}", row.gop_s), ""});
    rows.push_back({fmt::format("{} threads", row.threads), "DRAM read_gb_s",
                    fmt::format("{:.4g}", row.read_gb_s), ""});
  }
  if (report.timed_layers > 0) {
    text += fmt::format(
        "times of unseen layers ({} timed): median error {:.1f} %, 90th percentile {:.1f} %; "
        "among other data {:.1f} and {:.1f} %\n",
        report.timed_layers, report.prediction_error_median * 100,
        report.prediction_error_p90 * 100, report.far_error_median * 100,
        report.far_error_p90 * 100);
  }
  return text + table(rows) + warnings_text(report.warnings);
}

}  // namespace

Action declare_device_probe(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<DeviceProbeOptions>();
  app.add_option("-o,--output", options->output, "write the device as TOML")->type_name("FILE");
  app.add_option("--seconds", options->seconds, "time for all measurements")
      ->check(CLI::Range(0.2, 600.0));
  app.add_option("--layers", options->layers,
                 "time so many layers more and fit what predicts the times of others")
      ->check(CLI::Range(1, 100000));
  app.add_option("--layers-seconds", options->layers_seconds, "end the layers after this time")
      ->check(CLI::Range(0.1, 3600.0));
  app.add_flag("--accept-noise", options->accept_noise, "report a noisy machine's figures too");
  return [options, &common]() -> Result<Outcome> {
    if (common.threads > 1) options->threads = common.threads;
    options->roofs_cache = cache_file("roofs.json");
    options->samples_cache = cache_file("layers.csv");
    options->times_cache = cache_file("times.json");
    options->progress = progress_bar();
    EDGEWRIGHT_ASSIGN(const DeviceProbeReport report, probe_device(*options));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
