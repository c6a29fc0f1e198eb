#include "command.h"
#include "edgewright/power.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::string model;
  PowerPlanOptions plan;
};

std::vector<std::string> row(const PowerPlanPoint& point) {
  return {point.decode,
          point.precision,
          fmt::format("{}", point.batch),
          fmt::format("{:g}", point.duty),
          fmt::format("{:.3f}", point.latency_us * 1e-3),
          fmt::format("{:.3f}", point.energy_mj_per_token),
          fmt::format("{:.2f}", point.sustained_tokens_per_s),
          fmt::format("{:.2f}", point.power_w),
          fmt::format("{:.1f}", point.skin_c)};
}

std::string summary(const PowerPlanReport& report) {
  const std::vector<std::string> heading = {"decode on", "weights",  "batch", "duty",  "ms/token",
                                            "mJ/token",  "tokens/s", "W",     "skin C"};
  std::string out = "choice\n" + table({heading, row(report.choice)}) +
                    fmt::format("prefill on {}, first token after {:.2f} ms\n",
                                report.choice.prefill, report.choice.first_token_us * 1e-3);
  std::vector<std::vector<std::string>> rows = {heading};
  // A long front is shown by every n-th of its points; the document has all.
  const size_t stride = std::max<size_t>(1, report.front.size() / 12);
  for (size_t i = 0; i < report.front.size(); i += stride) rows.push_back(row(report.front[i]));
  out += "\nfront\n" + table(rows) + "\nconstraints\n";
  rows = {{"without", "mJ/token", ""}};
  for (const PowerPlanCost& cost : report.costs) {
    rows.push_back({cost.constraint, fmt::format("{:.3f}", cost.energy_mj_per_token),
                    cost.binding ? "binding" : "not binding"});
  }
  return out + table(rows) + warnings_text(report.warnings);
}

}  // namespace

Action declare_power_plan(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  auto& o = options->plan;
  app.add_option("MODEL", options->model,
                 "a language model, its config.json, its profile --json, or llama-1.1b")
      ->required();
  app.add_option("--device", o.device, "a device of the catalogue, or a device file")->required();
  app.add_option("--precision", o.precisions, "of the weights, several are searched")
      ->delimiter(',');
  app.add_option("--batch", o.batches, "batch sizes to search")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  app.add_option("--token-ms,--slo", o.token_ms, "a token may take this long")
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--first-token-ms", o.first_token_ms, "the first token may take this long")
      ->check(CLI::Range(0.0, 1e9));
  app.add_option("--slack", o.slack, "without those: times the quickest")
      ->check(CLI::Range(1.0, 100.0));
  app.add_option("--ambient", o.ambient_c, "Celsius")->check(CLI::Range(-60.0, 100.0));
  app.add_option("--skin-limit", o.skin_limit_c, "Celsius (default: the device's; 0: none)");
  app.add_option("--battery-hours,--battery", o.battery_hours, "that one charge has to last")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--prompt-tokens", o.prompt_tokens, "of a prompt")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--output-tokens", o.output_tokens, "of an answer")
      ->check(CLI::Range(1, 1'000'000));
  return [options, &common]() -> Result<Outcome> {
    (void)common;
    EDGEWRIGHT_ASSIGN(const PowerPlanReport report, power_plan(options->model, options->plan));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
