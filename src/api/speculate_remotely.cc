#include "api/language_split.h"
#include "api/server_connection.h"
#include "base/thread_pool.h"
#include "edgewright/serve.h"
#include "serve/remote_speculation.h"

namespace edgewright {
namespace {

void fill(const RemoteSpeculationResult& result, const OpenedLanguage& draft,
          RemoteSpeculateReport& report) {
  report.tokens = result.tokens;
  report.text = draft.tokenizer->decode(result.tokens);
  report.rounds = result.rounds;
  report.plain_rounds = result.plain_rounds;
  report.proposed = result.proposed;
  report.accepted = result.accepted;
  report.length = result.length;
  report.acceptance = result.acceptance;
  report.predicted_speedup = result.predicted_speedup;
  report.draft_ms = result.costs.draft_ms;
  report.target_ms = report.plain_ms_per_token = result.costs.target_ms;
  report.check_ms = result.costs.check_ms;
  report.round_trip_ms = result.costs.round_trip_ms;
  report.ttft_ms = result.first_ms;
  report.ms_per_token = result.ms_per_token;
}

}  // namespace

Result<RemoteSpeculateReport> speculate_remotely(const RemoteSpeculateOptions& options) {
  if (options.target.empty() || options.max_tokens < 1 || options.length > 64 ||
      !(options.temperature >= 0) || !(options.deadline_ms > 0)) {
    return usage_error(
        "found --target '{}', {} tokens, drafts of {} and a temperature of {}; expected the "
        "name of a model at the server, at least 1 token, drafts of at most 64 and at least 0",
        options.target, options.max_tokens, options.length, options.temperature);
  }
  ThreadPool pool(options.threads);
  EDGEWRIGHT_ASSIGN(const OpenedLanguage draft,
                    open_for_split(options.draft, pool, options.threads));
  EDGEWRIGHT_ASSIGN(const std::vector<int> prompt, prompt_tokens(draft, options.prompt));
  const int context = draft.model->config.context;
  if (std::ssize(prompt) + options.max_tokens > context) {
    return usage_error("the prompt has {} tokens and {} are wanted, at most {} fit the draft model",
                       prompt.size(), options.max_tokens, context);
  }
  EDGEWRIGHT_ASSIGN(const ServerConnection server, ServerConnection::of(options.server));
  EDGEWRIGHT_ASSIGN(auto client, server.open());
  const auto target = remote_target(std::move(client), options.target, 1e3 * options.deadline_ms);
  // A draft may run beyond what is wanted in the end.
  const auto proposer = draft_model(draft.model, pool, context + 64);
  RemoteSpeculationOptions speculation;
  speculation.max_tokens = options.max_tokens;
  speculation.length = options.length;
  speculation.sampling.temperature = options.temperature;
  speculation.sampling.seed = options.seed;
  EDGEWRIGHT_ASSIGN(
      const RemoteSpeculationResult result,
      speculate_over_link(*target, *proposer, prompt, draft.model->config.eos, speculation));
  RemoteSpeculateReport report;
  fill(result, draft, report);
  return report;
}

}  // namespace edgewright
