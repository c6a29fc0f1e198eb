#include <charconv>

#include "command.h"
#include "edgewright/split.h"

namespace edgewright::cli {
namespace {

struct Options {
  std::vector<std::string> limits, shapes, codecs;
  SplitOptions split;
};

Result<std::map<std::string, double>> parse_limits(const std::vector<std::string>& texts) {
  EDGEWRIGHT_ASSIGN(const auto pairs, parse_pairs(texts, "--limit"));
  std::map<std::string, double> limits;
  for (const auto& [name, text] : pairs) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), limits[name]);
    if (code != std::errc() || end != text.data() + text.size()) {
      return usage_error("found --limit {}={}, expected a number", name, text);
    }
  }
  return limits;
}

std::vector<std::string> cut_row(const std::string& title, const SplitCut& cut) {
  double hop_us = 0, tier_us = 0, bytes = cut.sent_bytes.empty() ? 0 : cut.sent_bytes[0];
  for (const double time_us : cut.hop_us) hop_us += time_us;
  for (size_t i = 1; i < cut.tier_us.size(); ++i) tier_us += cut.tier_us[i];
  return {title,
          cut.cut,
          fmt::format("{:.3f}", cut.latency_us / 1e3),
          fmt::format("{:.3f}", cut.tier_us.at(0) / 1e3),
          fmt::format("{:.3f}", hop_us / 1e3),
          fmt::format("{:.3f}", tier_us / 1e3),
          with_prefix(bytes) + "B"};
}

std::string map_text(const SplitMap& map) {
  std::vector<std::vector<std::string>> rows = {{"ms \\ Mbit/s"}};
  // Every fourth bandwidth fits a line.
  for (size_t i = 0; i < map.bandwidth_mbit_s.size(); i += 4) {
    rows[0].push_back(fmt::format("{:.3g}", map.bandwidth_mbit_s[i]));
  }
  for (size_t row = 0; row < map.latency_ms.size(); ++row) {
    auto& cells = rows.emplace_back();
    cells.push_back(fmt::format("{:g}", map.latency_ms[row]));
    for (size_t i = 0; i < map.bandwidth_mbit_s.size(); i += 4) {
      cells.push_back(map.cuts[row][i]);
    }
  }
  return "\nbest cut over bandwidth and latency\n" + table(rows);
}

std::string codecs_text(const SplitReport& report) {
  if (report.codecs.empty()) return "";
  std::vector<std::vector<std::string>> rows = {
      {"sent as", "cut", "total ms", "sent", "kept %", "error", "answer error"}};
  for (const SplitCodecFigures& row : report.codecs) {
    rows.push_back({row.codec + (row.keeps_floor ? "" : " (below the floor)"), row.cut,
                    fmt::format("{:.3f}", row.latency_us / 1e3), with_prefix(row.sent_bytes) + "B",
                    row.agreement ? fmt::format("{:.2f}", 100 * *row.agreement) : "",
                    fmt::format("{:.2e}", row.relative_l2),
                    fmt::format("{:.2e}", row.output_relative_l2)});
  }
  return "\n" + table(rows);
}

std::string summary(const SplitReport& report) {
  std::string out = fmt::format(
      "cut after {}: {:.3f} ms{}\n", report.best.cut, report.best.latency_us / 1e3,
      report.is_exact
          ? ""
          : fmt::format(" (no allowed cut is below {:.3f} ms)", report.lower_bound_us / 1e3));
  for (const std::string& broken : report.best.broken_limits) {
    out += "no cut keeps every limit; this one breaks: " + broken + "\n";
  }
  if (report.runner_up) {
    out += fmt::format("next best: {}, {:+.3f} ms\n", report.runner_up->cut,
                       (report.runner_up->latency_us - report.best.latency_us) / 1e3);
  }
  std::vector<std::vector<std::string>> rows = {
      {"", "cut", "total ms", "device ms", "link ms", "server ms", "sent"}};
  rows.push_back(cut_row("best", report.best));
  if (report.runner_up) rows.push_back(cut_row("runner-up", *report.runner_up));
  rows.push_back(cut_row("all on device", report.all_on_device));
  rows.push_back(cut_row("all on server", report.all_on_server));
  for (const auto& [name, cut] : report.heuristics) rows.push_back(cut_row(name, cut));
  out += "\n" + table(rows);
  out += codecs_text(report);
  if (!report.crossings.empty()) out += "\n";
  for (const SplitCrossing& crossing : report.crossings) {
    out += fmt::format("from {:.3f} Mbit/s on: {} instead of {}\n", crossing.bandwidth_mbit_s,
                       crossing.to, crossing.from);
  }
  if (report.best.percentiles) {
    const LatencyPercentiles& spread = *report.best.percentiles;
    out += fmt::format(
        "\nover the link's states: mean {:.3f} ms, p50 {:.3f}, p90 {:.3f}, p95 "
        "{:.3f}, p99 {:.3f}\n",
        spread.mean_us / 1e3, spread.p50_us / 1e3, spread.p90_us / 1e3, spread.p95_us / 1e3,
        spread.p99_us / 1e3);
  }
  if (report.map) out += map_text(*report.map);
  out += "\n";
  for (const std::string& assumption : report.assumptions) out += "assumed: " + assumption + "\n";
  for (const std::string& file : report.files) out += "wrote " + file + "\n";
  return out + warnings_text(report.warnings);
}

// A codec by name, or only its bits.
Status take_codecs(const std::vector<std::string>& words, SplitOptions& split) {
  for (const std::string& word : words) {
    double bits = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), bits);
    if (error == std::errc() && end == word.data() + word.size()) {
      split.sent_bits = bits;
    } else {
      split.codecs.push_back(word);
    }
  }
  return {};
}

}  // namespace

Action declare_split_plan(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<Options>();
  SplitOptions& split = options->split;
  app.add_option("MODEL", split.model,
                 "an ONNX model, or transformer:layers=N,width=N,tokens=N by its shape");
  app.add_option("--profile", split.profile, "a measured chain of layers instead of a model")
      ->type_name("FILE.csv");
  app.add_option("--shape", options->shapes, "fix an input's shape")->type_name("INPUT=1x3x32x32");
  app.add_option("--device", split.device, "50GFLOP/s,12GB/s, a device's name or file, or host");
  app.add_option("--server", split.server, "the same of the server");
  app.add_option("--tier", split.tiers, "between them, nearest first")->type_name("SPEED@LINK");
  app.add_option("--link", split.link, "a link's name or file, or a recorded FILE.up");
  app.add_option("--bandwidth-mbit-s", split.bandwidth_mbit_s, "instead of a link");
  app.add_option("--latency-ms", split.latency_ms, "round trip, once for a request");
  app.add_option("--objective", split.objective, "latency, throughput, p50, p90, p95 or p99");
  app.add_option("--limit", options->limits, "a bound that the cut must keep")
      ->type_name("NAME=NUMBER");
  app.add_option("--input-as", split.input_as, "how the input is sent: tensor, raw, jpeg or BYTES");
  app.add_option(
      "--codec", options->codecs,
      "activations may be sent as fp16, int8 or int4; a number: so many bits, unmeasured");
  app.add_option("--data", split.data, "samples to measure codecs by")->type_name("DATA");
  app.add_flag("--map", split.map, "also the best cut over bandwidth x latency");
  app.add_option("-o,--output,--write-halves", split.output,
                 "write device.onnx, server.onnx and a repository of server halves")
      ->type_name("FOLDER");
  return [options, &common]() -> Result<Outcome> {
    EDGEWRIGHT_ASSIGN(options->split.limits, parse_limits(options->limits));
    EDGEWRIGHT_ASSIGN(options->split.shapes, parse_shapes(options->shapes));
    EDGEWRIGHT_TRY(take_codecs(options->codecs, options->split));
    options->split.seed = common.seed;
    options->split.roofs_cache = cache_file("roofs.json");
    EDGEWRIGHT_ASSIGN(const SplitReport report, plan_split(options->split));
    return Outcome{summary(report), to_json(report), report.passed};
  };
}

}  // namespace edgewright::cli
