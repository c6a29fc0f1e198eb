#include "network.h"

namespace edgewright::cli {
namespace {

std::string summary(const SplitGenerateReport& report) {
  std::string out = report.text + "\n\n";
  out += fmt::format(
      "{} tokens after {} of the prompt: the first in {:.2f} ms, then {:.2f} ms each; {} questions "
      "to the server, which worked {:.1f} ms; {}B sent, {}B received\n",
      report.tokens.size(), report.prompt_tokens, report.ttft_ms, report.ms_per_token,
      report.questions, report.server_ms, with_prefix(report.sent_bytes),
      with_prefix(report.received_bytes));
  return out + warnings_text(report.warnings);
}

}  // namespace

Action declare_split_generate(CLI::App& app, CommonOptions& common) {
  struct Options {
    bool no_fallback = false;
    SplitGenerateOptions generate;
  };
  auto options = std::make_shared<Options>();
  SplitGenerateOptions& generate = options->generate;
  app.add_option("MODEL", generate.model, "the language model; the server has it as well")
      ->required();
  app.add_option("--server", generate.server.url, "does a part of the work")
      ->type_name("http|grpc://HOST:PORT")
      ->required();
  app.add_option("--target", generate.target, "the model's name there")
      ->type_name("NAME")
      ->required();
  app.add_option("--prompt", generate.prompt, "text to go on with")->required();
  app.add_option("--layers", generate.device_layers,
                 "so many here, the others there; 0: the prompt there, the answer here (default)");
  app.add_option("--max-tokens", generate.max_tokens, "of the answer");
  app.add_option("--temperature", generate.temperature, "0: the likeliest token");
  app.add_option("--deadline-ms", generate.deadline_ms, "of each question to the server");
  app.add_flag("--no-fallback", options->no_fallback, "fail when the server does");
  app.add_option("--token-file", generate.server.token_file, "holds a bearer token");
  app.add_option("--authorities", generate.server.authorities, "certificates to trust")
      ->type_name("FILE.pem");
  return [options, &common]() -> Result<Outcome> {
    options->generate.fallback = !options->no_fallback;
    options->generate.threads = common.threads;
    options->generate.seed = common.seed;
    EDGEWRIGHT_ASSIGN(const SplitGenerateReport report, network::generate_split(options->generate));
    return Outcome{summary(report), to_json(report)};
  };
}

}  // namespace edgewright::cli
