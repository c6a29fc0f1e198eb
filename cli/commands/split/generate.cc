#include "edgewright/language.h"
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
  for (const SplitGenerateWay& way : report.ways) {
    out += fmt::format("{}{}: {:.1f} ms predicted{}\n", way.way,
                       way.device_layers > 0 ? fmt::format(" ({} here)", way.device_layers) : "",
                       way.predicted_ms, way.way == report.way ? ", taken" : "");
  }
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
  app.add_option("--target", generate.targets,
                 "the model's name there; may be repeated, one for each way that the server has")
      ->type_name("NAME");
  app.add_option("--way", generate.way,
                 "device, prompt, layers, draft; default auto: the quickest by what is measured");
  app.add_option("--draft", generate.draft, "a small model here, for the way draft")
      ->type_name("MODEL");
  app.add_option("--prompt", generate.prompt, "text to go on with")->required();
  app.add_option("--layers", generate.device_layers,
                 "so many here, the others there, for every token (the way layers)");
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
