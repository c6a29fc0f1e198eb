#include "api/language_split.h"
#include "api/server_connection.h"
#include "edgewright/serve.h"
#include "serve/split_generation.h"

namespace edgewright {

Result<SplitGenerateReport> generate_split(const SplitGenerateOptions& options) {
  if (options.target.empty() || options.max_tokens < 1 || !(options.temperature >= 0) ||
      !(options.deadline_ms > 0)) {
    return usage_error(
        "found --target '{}', {} tokens and a temperature of {}; expected the name of a model at "
        "the server, at least 1 token and at least 0",
        options.target, options.max_tokens, options.temperature);
  }
  ThreadPool pool(options.threads);
  EDGEWRIGHT_ASSIGN(const OpenedLanguage language,
                    open_for_split(options.model, pool, options.threads));
  TextRequest request;
  EDGEWRIGHT_ASSIGN(request.prompt, prompt_tokens(language, options.prompt));
  request.max_tokens = options.max_tokens;
  request.sampling.temperature = options.temperature;
  request.sampling.seed = options.seed;
  EDGEWRIGHT_ASSIGN(const ServerConnection server, ServerConnection::of(options.server));
  EDGEWRIGHT_ASSIGN(const auto client, server.open());
  SplitGenerationOptions split;
  split.target = options.target;
  split.device_layers = options.device_layers;
  split.deadline_us = 1e3 * options.deadline_ms;
  split.fallback = options.fallback;
  EDGEWRIGHT_ASSIGN(
      SplitGenerationResult result,
      generate_split(*client, language.model, *language.tokenizer, pool, request, split));
  SplitGenerateReport report;
  report.text = std::move(result.text.text);
  report.tokens = std::move(result.text.tokens);
  report.finish = finish_name(result.text.finish);
  report.prompt_tokens = static_cast<int>(request.prompt.size());
  report.ttft_ms = result.first_ms;
  report.ms_per_token = result.ms_per_token;
  report.server_ms = result.server_ms;
  report.questions = result.questions;
  report.repeated_sequences = result.repeated_sequences;
  report.sent_bytes = result.sent_bytes;
  report.received_bytes = result.received_bytes;
  report.failure = std::move(result.failure);
  report.tokens_before_failure = result.tokens_before_failure;
  if (!report.failure.empty()) {
    report.warnings.push_back("the device went on alone: " + report.failure);
  }
  return report;
}

}  // namespace edgewright
