#include "command.h"
#include "edgewright/power.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model;
  PowerSimulateOptions simulate;
};

std::string summary(const PowerSimulateReport& report) {
  std::vector<std::vector<std::string>> rows = {{"policy", "tokens/s", "sustained", "mJ/token",
                                                 "p95 ms", "die C", "skin C", "throttled",
                                                 "mostly at"}};
  for (const SimulatedRun& run : report.runs) {
    rows.push_back({run.policy, fmt::format("{:.2f}", run.mean_tokens_per_s),
                    fmt::format("{:.2f}", run.sustained_tokens_per_s),
                    fmt::format("{:.3f}", run.energy_mj_per_token),
                    fmt::format("{:.2f}", run.request_p95_us * 1e-3),
                    fmt::format("{:.1f}", run.peak_temperature_c),
                    fmt::format("{:.1f}", run.peak_skin_c), fmt::format("{}", run.throttles.size()),
                    run.usual_setting});
  }
  return table(rows) + warnings_text(report.warnings);
}

}  // namespace

Action declare_power_simulate(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  auto& o = options->simulate;
  app.add_option("MODEL", options->model, "folder with config.json, or llama-1.1b")->required();
  app.add_option("--device", o.device, "a device of the catalogue, or a device file")->required();
  app.add_option("--policy", o.policies,
                 "highest, schedutil, square-root, phase-aware, performance, balanced, cool, "
                 "long-lasting; several are compared");
  app.add_option("--precision", o.precision, "of the weights: fp16, int8, int4");
  app.add_option("--workload", o.workload, "continuous, single, poisson, bursts, day");
  app.add_option("--rate", o.rate_per_s, "requests a second on average")
      ->check(CLI::Range(1e-6, 1e5));
  app.add_option("--prompt-tokens", o.prompt_tokens, "mean of a prompt")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--output-tokens", o.output_tokens, "mean of an answer")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--seconds", o.seconds, "of virtual time")->check(CLI::Range(0.01, 864000.0));
  app.add_option("--ambient", o.ambient, "Celsius, or changes as in 0:25,600:35");
  app.add_option("--skin-limit", o.skin_limit_c, "Celsius (default: the device's; 0: none)");
  app.add_option("--batch", o.max_batch, "most sequences at once")->check(CLI::Range(1, 1024));
  app.add_option("--batch-wait-ms", o.batch_wait_ms, "a request may wait for others")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--deadline-ms", o.deadline_ms, "of a request; phase-aware uses what it leaves")
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--slack", o.slack, "of phase-aware: times the quickest step")
      ->check(CLI::Range(1.0, 100.0));
  app.add_option("--trace", o.trace, "write the series for Perfetto")->type_name("FILE.json");
  return [options, &common]() -> Result<Outcome> {
    options->simulate.seed = common.seed;
    EDGEWRIGHT_ASSIGN(const PowerSimulateReport report,
                      power_simulate(options->model, options->simulate));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
