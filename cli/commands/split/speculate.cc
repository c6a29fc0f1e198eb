#include "edgewright/split.h"
#include "network.h"

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

std::string summary(const RemoteSpeculateReport& report) {
  std::string out = report.text + "\n\n";
  out += fmt::format(
      "{} tokens, {:.2f} ms each after the first ({:.2f} ms); the target alone needs {:.2f} ms\n",
      report.tokens.size(), report.ms_per_token, report.ttft_ms, report.plain_ms_per_token);
  out += fmt::format(
      "{} rounds of drafts, {} of {} drafted tokens kept, {} questions without drafts\n",
      report.rounds, report.accepted, report.proposed, report.plain_rounds);
  out += report.length > 0
             ? fmt::format("drafts of {} tokens at the end, {:.2f} times as quick by the figures\n",
                           report.length, report.predicted_speedup)
             : std::string("drafting is off: by the figures it would lose\n");
  out += fmt::format(
      "draft {:.2f} ms a token, target {:.2f} ms a pass and {:.2f} a drafted token, round trip "
      "{:.2f} ms\n",
      report.draft_ms, report.target_ms, report.check_ms, report.round_trip_ms);
  return out + warnings_text(report.warnings);
}

}  // namespace

Action declare_split_speculate(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<SpeculateOptions>();
  auto remote = std::make_shared<RemoteSpeculateOptions>();
  app.add_option("--draft-ms", options->draft_ms, "of the small model, a token (default 10)");
  app.add_option("--target-ms", options->target_ms, "of the large model, a pass (default 30)");
  app.add_option("--check-ms", options->check_ms, "more for each drafted token in a pass");
  app.add_option("--acceptance", options->acceptance, "share of drafted tokens kept (default 0.7)");
  app.add_option("--latency-ms", options->latency_ms, "round trip");
  app.add_option("--link", options->link, "a link's name or file instead");
  auto* draft = app.add_option("--draft", remote->draft, "a small model here: do it, not only plan")
                    ->type_name("MODEL");
  auto* server = app.add_option("--server", remote->server.url, "has the large model")
                     ->type_name("http|grpc://HOST:PORT");
  app.add_option("--target", remote->target, "its name there, as a checker of drafts")
      ->type_name("NAME");
  app.add_option("--prompt", remote->prompt, "text to go on with");
  app.add_option("--max-tokens", remote->max_tokens, "of the answer");
  app.add_option("--length", remote->length, "of every draft; default: by acceptance and times");
  app.add_option("--temperature", remote->temperature, "0: the likeliest token");
  app.add_option("--deadline-ms", remote->deadline_ms, "of each question to the server");
  app.add_option("--token-file", remote->server.token_file, "holds a bearer token");
  draft->needs(server);
  return [options, remote, &common]() -> Result<Outcome> {
    if (!remote->draft.empty()) {
      remote->threads = common.threads;
      remote->seed = common.seed;
      EDGEWRIGHT_ASSIGN(const RemoteSpeculateReport report, network::speculate_remotely(*remote));
      return Outcome{summary(report), to_json(report), true};
    }
    EDGEWRIGHT_ASSIGN(const SpeculateReport report, plan_speculation(*options));
    return Outcome{summary(report), to_json(report), true};
  };
}

}  // namespace edgewright::cli
