#include <algorithm>
#include <charconv>

#include "claim_text.h"
#include "network.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::vector<std::string> shapes, choose, privacy;
  bool no_fallback = false;
  SplitRunOptions run;
};

// Settings of one flag that are numbers, by name.
using Numbers = std::map<std::string_view, double*>;

Status take_number(const std::string& flag, const std::string& name, const std::string& text,
                   const Numbers& numbers, const char* others) {
  const auto it = numbers.find(name);
  if (it == numbers.end()) {
    std::vector<std::string_view> names;
    for (const auto& row : numbers) names.push_back(row.first);
    return usage_error("found {} {}, expected one of {}, {}", flag, name, others,
                       fmt::join(names, ", "));
  }
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), *it->second);
  if (code == std::errc() && end == text.data() + text.size()) return {};
  return usage_error("found {} {}={}, expected a number", flag, name, text);
}

Status take_choice(const std::vector<std::string>& texts, SplitRunOptions& run) {
  EDGEWRIGHT_ASSIGN(const auto pairs, parse_pairs(texts, "--choose"));
  SplitRunChoice& choice = run.choice;
  const Numbers numbers = {{"floor", &run.floor},
                           {"per-energy-mj", &choice.per_energy_mj},
                           {"per-device-ms", &choice.per_device_ms},
                           {"per-price", &choice.per_price},
                           {"device-mw", &choice.device_power_mw},
                           {"radio-mw", &choice.radio_power_mw},
                           {"price-per-gb", &choice.price_per_gb},
                           {"price-per-hour", &choice.server_price_per_hour}};
  // Whoever weighs or keeps what was learned wants it learned.
  const bool is_learned = std::ranges::any_of(pairs, [](const auto& pair) {
    return pair.first == "state" || pair.first.starts_with("per-");
  });
  if (is_learned && !pairs.contains("by")) choice.by = "lin-ucb";
  for (const auto& [name, text] : pairs) {
    if (name == "by") {
      choice.by = text;
    } else if (name == "state") {
      choice.state = text;
    } else {
      EDGEWRIGHT_TRY(take_number("--choose", name, text, numbers, "by, state"));
    }
  }
  return {};
}

Status take_privacy(const std::vector<std::string>& texts, SplitRunPrivacy& privacy) {
  const Numbers numbers = {{"epsilon", &privacy.epsilon},
                           {"delta", &privacy.delta},
                           {"clip", &privacy.clip},
                           {"total", &privacy.total_epsilon}};
  for (const std::string& setting : texts) {
    EDGEWRIGHT_ASSIGN(const auto pairs, parse_pairs({setting}, "--privacy"));
    for (const auto& [name, text] : pairs) {
      if (name == "budget") {
        privacy.budget = text;
      } else if (name == "key") {
        privacy.key = text;
      } else if (name == "seal") {
        privacy.sealed.push_back(text);
      } else {
        EDGEWRIGHT_TRY(take_number("--privacy", name, text, numbers, "budget, key, seal"));
      }
    }
  }
  return {};
}

std::string privacy_text(const SplitRunReport& report) {
  if (!report.privacy) return "";
  const SplitRunPrivacyReport& privacy = *report.privacy;
  return fmt::format(
      "{} releases with noise of {:.4g}: epsilon {:.4g} spent{}; {} requests kept here\n",
      privacy.releases, privacy.sigma, privacy.spent_epsilon,
      privacy.total_epsilon > 0 ? fmt::format(" of {:g}", privacy.total_epsilon) : "",
      privacy.kept_here);
}

std::string summary(const SplitRunReport& report) {
  std::string out =
      fmt::format("cut after {}{}: median {:.3f} ms, p90 {}, p99 {}, {:.1f} requests/s\n",
                  report.cut, report.codec == "none" ? "" : ", sent as " + report.codec,
                  report.latency_us / 1e3, claim_text(report.p90_us / 1e3, 3),
                  claim_text(report.p99_us / 1e3, 3), report.throughput_per_s);
  out += fmt::format(
      "{} requests: {} answered by the server, {} by the device, {} begun there and finished "
      "here, {} failed, {} late; {} tries repeated\n",
      report.requests, report.answered_by_server, report.answered_by_device,
      report.resumed_on_device, report.failed, report.late, report.retried);
  out += privacy_text(report);
  if (report.mean_cost > 0) out += fmt::format("mean cost {:.4g}\n", report.mean_cost);
  if (report.accuracy) out += fmt::format("accuracy {:.2f} %\n", 100 * *report.accuracy);
  if (!report.server.empty()) {
    out += fmt::format(
        "{}: {:.4g} Mbit/s up, {:.4g} down, {:.3g} ms, {:.2g} times as slow as "
        "when measured\n",
        report.server, report.uplink_mbit_s, report.downlink_mbit_s, report.round_trip_ms,
        report.server_slowdown);
  }
  std::vector<std::vector<std::string>> rows = {{"cut", "sent as", "kept %", "planned ms",
                                                 "measured ms", "requests", "device ms",
                                                 "server ms", "sent"}};
  for (const SplitRunCut& cut : report.cuts) {
    rows.push_back({cut.cut, cut.codec,
                    cut.measured_samples > 0 ? fmt::format("{:.1f}", 100 * cut.agreement) : "",
                    fmt::format("{:.3f}", cut.planned_us / 1e3),
                    cut.measured_us ? fmt::format("{:.3f}", *cut.measured_us / 1e3) : "-",
                    fmt::format("{}", cut.requests), fmt::format("{:.3f}", cut.device_us / 1e3),
                    fmt::format("{:.3f}", cut.server_us / 1e3), with_prefix(cut.sent_bytes) + "B"});
  }
  out += "\n" + table(rows);
  for (const SplitRunEvent& event : report.events) {
    out += fmt::format("at {:.0f} ms {}: from {} to {}{}\n", event.time_ms, event.what, event.from,
                       event.to, event.why.empty() ? "" : " (" + event.why + ")");
  }
  for (const std::string& failure : report.failures) out += "not answered: " + failure + "\n";
  for (const RunOutput& output : report.outputs) out += "wrote " + output.file + "\n";
  return out + warnings_text(report.warnings);
}

}  // namespace

Action declare_split_run(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  SplitRunOptions& run = options->run;
  app.add_option("MODEL", run.model, "the whole ONNX model")->required();
  app.add_option("--server", run.server.url, "has the model's second halves (split plan --output)")
      ->type_name("http|grpc://HOST:PORT")
      ->required();
  app.add_option("--cut", run.cut, "the last layer here; default: the quickest that it has");
  app.add_option("--codec", run.codecs,
                 "may be used to send: fp16, int8, int4 or, to edgewright serve, any of split "
                 "codecs; may be repeated");
  app.add_option("--choose", options->choose,
                 "by=latency, throughput, lin-ucb, tabular or dqn; state=FILE; floor=0.99; "
                 "per-energy-mj, per-device-ms, per-price; device-mw, radio-mw, price-per-gb, "
                 "price-per-hour")
      ->type_name("NAME=VALUE");
  app.add_option("--privacy", options->privacy,
                 "epsilon, delta, clip; budget=FILE, total=EPSILON; key=FILE, seal=NAME or all")
      ->type_name("NAME=VALUE");
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("--data", run.data, "inputs; default: random ones")->type_name("FILE.npz");
  app.add_option("--requests", run.requests, "how many");
  app.add_option("--interval-ms", run.interval_ms, "between them; 0: as the device has room");
  app.add_option("--deadline-ms", run.deadline_ms, "of each, from its arrival");
  app.add_option("--in-flight", run.in_flight,
                 "requests beyond the device at one time; default 2, or "
                 "as a pipeline needs");
  app.add_flag("--no-fallback", options->no_fallback, "what the server does not answer fails");
  app.add_option("--token-file", run.server.token_file, "holds a bearer token");
  app.add_option("--authorities", run.server.authorities, "certificates to trust")
      ->type_name("FILE.pem");
  app.add_option("-o,--output", run.output, "outputs of the last request")->type_name("FOLDER");
  return [options, &common]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(options->run.shapes, parse_shapes(options->shapes));
    EDGEWRIGHT_TRY(take_choice(options->choose, options->run));
    EDGEWRIGHT_TRY(take_privacy(options->privacy, options->run.privacy));
    options->run.fallback = !options->no_fallback;
    options->run.threads = common.threads;
    options->run.seed = common.seed;
    options->run.progress = [](const std::string& what) { fmt::print(stderr, "{}\n", what); };
    EDGEWRIGHT_ASSIGN(const SplitRunReport report, network::run_split(options->run));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
