#include "network.h"

namespace edgewright::cli {
namespace {

std::string summary(const SecretRunReport& report) {
  std::string out = fmt::format("{} requests: median {:.3f} ms; masks are left for {}\n\n",
                                report.requests, report.latency_us / 1e3, report.requests_left);
  std::vector<std::vector<std::string>> rows = {{"layer", "ms", "sent", "received"}};
  for (const SecretRunLayer& layer : report.layers) {
    rows.push_back({layer.layer, fmt::format("{:.3f}", layer.latency_us / 1e3),
                    with_prefix(layer.sent_bytes) + "B", with_prefix(layer.received_bytes) + "B"});
  }
  out += table(rows);
  for (const RunOutput& output : report.outputs) out += "wrote " + output.file + "\n";
  return out + warnings_text(report.warnings);
}

}  // namespace

Action declare_split_secret(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<SecretRunOptions>();
  app.add_option("DEVICE", options->device, "the folder device of split share")->required();
  app.add_option("--first", options->first_url, "the server with the repository first")
      ->type_name("http|grpc://HOST:PORT")
      ->required();
  app.add_option("--second", options->second_url, "the server with the repository second")
      ->type_name("http|grpc://HOST:PORT")
      ->required();
  app.add_option("--data", options->data, "inputs; default: random ones")->type_name("FILE.npz");
  app.add_option("--requests", options->requests, "how many (default 1)");
  app.add_option("--deadline-ms", options->deadline_ms, "of each (default 10000)");
  app.add_option("--first-token-file", options->first_token_file, "holds a bearer token");
  app.add_option("--second-token-file", options->second_token_file, "holds a bearer token");
  app.add_option("--authorities", options->authorities, "certificates to trust")
      ->type_name("FILE.pem");
  app.add_option("-o,--output", options->output, "outputs of the last request")
      ->type_name("FOLDER");
  return [options, &common]() -> Result<Outcome> {
    options->threads = common.threads;
    options->seed = common.seed;
    EDGEWRIGHT_ASSIGN(const SecretRunReport report, network::run_secret(*options));
    return Outcome{summary(report), to_json(report)};
  };
}

}  // namespace edgewright::cli
