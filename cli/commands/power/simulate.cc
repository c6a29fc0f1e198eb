#include <charconv>

#include "command.h"
#include "edgewright/power.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model, batch = "1";
  PowerSimulateOptions simulate;
};

// "4", "1:4" (usual and hot), either with a '+' (prompts in pieces beside decoding).
Status read_batch(std::string text, PowerSimulateOptions& options) {
  options.interleave = text.ends_with('+');
  if (options.interleave) text.pop_back();
  const size_t colon = std::min(text.find(':'), text.size());
  const auto read = [&text](size_t from, size_t to, int& value) {
    const auto [end, code] = std::from_chars(text.data() + from, text.data() + to, value);
    return code == std::errc() && end == text.data() + to && value >= 1 && value <= 1024;
  };
  const bool two = colon < text.size();
  if (read(0, colon, options.max_batch) &&
      (!two || read(colon + 1, text.size(), options.hot_batch))) {
    return {};
  }
  return usage_error("--batch {}: expected 1 to 1024, or two of them as in 1:4", text);
}

std::string summary(const PowerSimulateReport& report) {
  std::vector<std::vector<std::string>> rows = {{"policy", "tokens/s", "sustained", "mJ/token",
                                                 "p95 ms", "die C", "skin C", "throttled",
                                                 "mostly at"}};
  for (const SimulatedRun& run : report.runs) {
    rows.push_back({run.policy, fmt::format("{:.2f}", run.mean_tokens_per_s),
                    fmt::format("{:.2f}", run.sustained_tokens_per_s),
                    fmt::format("{:.3f}", run.energy_mj_per_token),
                    run.request_p95_us ? fmt::format("{:.2f}", *run.request_p95_us * 1e-3) : "-",
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
  app.add_option("MODEL", options->model,
                 "a language model, its config.json, its profile --json, or llama-1.1b")
      ->required();
  app.add_option("--device", o.device, "a device of the catalogue, or a device file")->required();
  app.add_option("--policy", o.policies,
                 "highest, schedutil, schedutil-menu, ipa, square-root, learned, phase-aware, "
                 "performance, balanced, cool, long-lasting; several are compared");
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
  app.add_option("--batch", options->batch,
                 "most sequences at once; 1:4: up to 4 as the skin nears its limit; 4+: prompts in "
                 "pieces beside decoding")
      ->type_name("N|N:HOT[+]");
  app.add_option("--batch-wait-ms", o.batch_wait_ms, "a request may wait for others")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--deadline-ms", o.deadline_ms, "of a request; phase-aware uses what it leaves")
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--slack", o.slack, "of phase-aware: times the quickest step")
      ->check(CLI::Range(1.0, 100.0));
  app.add_option("--trace", o.trace, "write the series for Perfetto")->type_name("FILE.json");
  return [options, &common]() -> Result<Outcome> {
    options->simulate.seed = common.seed;
    EDGEWRIGHT_TRY(read_batch(options->batch, options->simulate));
    EDGEWRIGHT_ASSIGN(const PowerSimulateReport report,
                      power_simulate(options->model, options->simulate));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
