#include "network.h"

namespace edgewright::cli {
namespace {

std::vector<std::string> figure_row(const char* name, const ProbedFigure& figure) {
  return {name, fmt::format("{:.4g}", figure.value), fmt::format("{:.4g}", figure.low),
          fmt::format("{:.4g}", figure.high)};
}

std::string summary(const LinkProbeReport& report) {
  std::vector<std::vector<std::string>> rows = {{report.server, "found", "95 % from", "to"}};
  rows.push_back(figure_row("uplink Mbit/s", report.uplink_mbit_s));
  if (report.downlink_mbit_s)
    rows.push_back(figure_row("downlink Mbit/s", *report.downlink_mbit_s));
  rows.push_back(figure_row("round trip ms", report.round_trip_ms));
  std::string out = table(rows);
  out += fmt::format("by {} exchanges of {:.0f} and {:.0f} bytes\n", report.exchanges,
                     report.small_bytes, report.large_bytes);
  for (const std::string& file : report.files) out += "wrote " + file + "\n";
  return out + warnings_text(report.warnings);
}

}  // namespace

Action declare_link_probe(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<LinkProbeOptions>();
  app.add_option("URL", options->server.url, "of an Open Inference Protocol server")
      ->type_name("http|grpc://HOST:PORT")
      ->required();
  app.add_option("--repeats", options->repeats, "exchanges of each size");
  app.add_option("--most-mb", options->most_mb, "of the larger size, which is found by trying");
  app.add_option("--deadline-s", options->deadline_s, "for all of it");
  app.add_option("--token-file", options->server.token_file, "holds a bearer token");
  app.add_option("--authorities", options->server.authorities, "certificates to trust")
      ->type_name("FILE.pem");
  app.add_option("-o,--output", options->output, "write a link file")->type_name("FILE.toml");
  return [options, &common]() -> Result<Outcome> {
    options->seed = common.seed;
    EDGEWRIGHT_ASSIGN(const LinkProbeReport report, network::probe_link(*options));
    return Outcome{summary(report), to_json(report), true};
  };
}

}  // namespace edgewright::cli
