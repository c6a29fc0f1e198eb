#include <csignal>

#include "command.h"
#include "edgewright/power.h"

namespace edgewright::cli {
namespace {

volatile std::sig_atomic_t stop_requested = 0;
void request_stop(int /*signal*/) { stop_requested = 1; }

struct Options {
  std::string serve;
  PowerGovernOptions govern;
};

std::string summary(const PowerGovernReport& report) {
  const std::string energy = report.metered
                                 ? fmt::format("{:.3f} J, {:.3f} W on average: {}", report.energy_j,
                                               report.mean_power_w, report.meter)
                                 : report.meter;
  return fmt::format(
             "held        {} for {:.1f} s ({} rounds, {} writes{})\nset-point   {}\nheat        "
             "{}\nenergy      {}\nafterwards  {}\n",
             report.choice, report.held_s, report.rounds, report.writes,
             report.policy.empty() ? "" : ", policy " + report.policy,
             report.reached ? "reached" : "not reached or not to be seen",
             report.hottest_c > 0 ? fmt::format("{:.1f} C at most", report.hottest_c) : "not known",
             energy, report.restored ? "every value restored" : "not every value restored") +
         warnings_text(report.warnings);
}

}  // namespace

Action declare_power_govern(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  auto& o = options->govern;
  app.add_option("--device", o.device, "a device of the catalogue, or a device file");
  app.add_option("--root", o.root, "folder that holds sys and proc");
  app.add_option("--policy", o.policy, "as for power simulate");
  app.add_option("--model", o.model, "that the engine runs, as for power simulate");
  app.add_option("--seconds", o.seconds, "stop after so long (default: at a signal)")
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--period-ms", o.period_ms, "between rounds")->check(CLI::Range(1.0, 1e6));
  app.add_option("--pid", o.pid, "process whose cores and clamps are chosen");
  app.add_option(
      "--hint-file", o.hint_file,
      "file in which the engine says 'idle', 'prefill TOKENS' or 'decode BATCH CONTEXT'");
  app.add_option("--advice-file", o.advice_file,
                 "file from which the engine takes 'batch N duty SHARE threads T beside N stages "
                 "CPUS/CPUS'");
  app.add_option("--precision", o.precision, "of the engine's weights: fp16, int8, int4");
  app.add_option("--skin-limit", o.skin_limit_c, "Celsius (default: the device's; 0: none)");
  app.add_option("--helper", o.socket, "socket of a privileged helper to write through");
  app.add_option("--serve-helper", options->serve, "be that helper at this socket");
  return [options, &common]() -> Result<Outcome> {
    (void)common;
    if (!options->serve.empty()) {
      EDGEWRIGHT_TRY(
          power_govern_helper(options->serve, options->govern.root, options->govern.device));
      return Outcome{};
    }
    if (options->govern.device.empty()) {
      return usage_error("power govern needs --device or --serve-helper");
    }
    std::signal(SIGINT, request_stop);
    std::signal(SIGTERM, request_stop);
    options->govern.stop = [] { return stop_requested != 0; };
    EDGEWRIGHT_ASSIGN(const PowerGovernReport report, power_govern(options->govern));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
