#include "command.h"
#include "edgewright/split.h"

namespace edgewright::cli {
namespace {

std::string summary(const SpeculateReport& report) {
  std::string out =
      report.length > 0
          ? fmt::format(
                "draft {} tokens a round: {:.2f} ms a token, {:.2f} times as quick as the "
                "large model alone ({:.2f} ms)\n",
                report.length, report.ms_per_token, report.speedup, report.plain_ms_per_token)
          : fmt::format(
                "off: the best length, {}, would be {:.2f} times as quick as the large model "
                "alone ({:.2f} ms a token)\n",
                report.best_length, report.best_speedup, report.plain_ms_per_token);
  out += fmt::format("round trip {:.2f} ms; it pays below {:.2f} ms\n\n", report.round_trip_ms,
                     report.break_even_ms);
  std::vector<std::vector<std::string>> rows = {{"round trip ms", "best length"}};
  for (const auto& [round_trip_ms, length] : report.lengths) {
    rows.push_back({fmt::format("{:g}", round_trip_ms), fmt::format("{}", length)});
  }
  return out + table(rows) + warnings_text(report.warnings);
}

}  // namespace

Action declare_split_speculate(CLI::App& app, CommonOptions&) {
  auto options = std::make_shared<SpeculateOptions>();
  app.add_option("--draft-ms", options->draft_ms, "of the small model, a token (default 10)");
  app.add_option("--target-ms", options->target_ms, "of the large model, a pass (default 30)");
  app.add_option("--check-ms", options->check_ms, "more for each drafted token in a pass");
  app.add_option("--acceptance", options->acceptance, "share of drafted tokens kept (default 0.7)");
  app.add_option("--latency-ms", options->latency_ms, "round trip");
  app.add_option("--link", options->link, "a link's name or file instead");
  return [options]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(const SpeculateReport report, plan_speculation(*options));
    return Outcome{summary(report), to_json(report), true};
  };
}

}  // namespace edgewright::cli
