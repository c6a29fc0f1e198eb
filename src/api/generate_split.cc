#include <algorithm>
#include <chrono>

#include "api/language_split.h"
#include "api/server_connection.h"
#include "edgewright/language.h"
#include "serve/language_ways.h"
#include "serve/remote_speculation.h"
#include "serve/split_generation.h"

namespace edgewright {
namespace {

constexpr LanguageWay kWays[] = {LanguageWay::kDevice, LanguageWay::kPrompt, LanguageWay::kLayers,
                                 LanguageWay::kDraft};

// Everything that a way needs.
struct SharedGeneration {
  SharedGeneration(const SplitGenerateOptions& with) : options(with), pool(with.threads) {}
  const SplitGenerateOptions& options;
  ThreadPool pool;
  OpenedLanguage language;
  TextRequest request;
  ServerConnection server;
  std::unique_ptr<InferenceClient> client;
  LanguageTargets targets;
  std::unique_ptr<Proposer> proposer;  // where there is a draft model
};

Status check(const SplitGenerateOptions& options) {
  const bool is_way = options.way == "auto" ||
                      std::ranges::find(kWays, options.way, language_way_name) != std::end(kWays);
  if (!is_way) {
    return usage_error("found --way {}, expected auto, device, prompt, layers or draft",
                       options.way);
  }
  if (options.max_tokens >= 1 && options.temperature >= 0 && options.deadline_ms > 0 &&
      options.device_layers >= 0 && (!options.targets.empty() || options.way == "device")) {
    return {};
  }
  return usage_error(
      "found {} targets, {} tokens and a temperature of {}; expected --target with the name of a "
      "model at the server, at least 1 token and at least 0",
      options.targets.size(), options.max_tokens, options.temperature);
}

Status open_subject(SharedGeneration& subject) {
  const SplitGenerateOptions& options = subject.options;
  EDGEWRIGHT_ASSIGN(subject.language, open_for_split(options.model, subject.pool, options.threads));
  EDGEWRIGHT_ASSIGN(subject.request.prompt, prompt_tokens(subject.language, options.prompt));
  subject.request.max_tokens = options.max_tokens;
  subject.request.sampling.temperature = options.temperature;
  subject.request.sampling.seed = options.seed;
  if (!options.draft.empty()) {
    EDGEWRIGHT_ASSIGN(const OpenedLanguage draft,
                      open_for_split(options.draft, subject.pool, options.threads));
    // A draft may run beyond what is wanted in the end.
    subject.proposer = draft_model(draft.model, subject.pool, draft.model->config.context + 64);
  }
  EDGEWRIGHT_ASSIGN(subject.server, ServerConnection::of(options.server));
  EDGEWRIGHT_ASSIGN(subject.client, subject.server.open());
  return {};
}

// The quickest way by what is measured.
Result<LanguageWayPlan> measured_way(SharedGeneration& subject, SplitGenerateReport& report) {
  const SplitGenerateOptions& options = subject.options;
  EDGEWRIGHT_ASSIGN(const SharedTimes figures,
                    measure_ways(*subject.client, subject.targets, subject.language.model,
                                 subject.pool, subject.proposer.get(), subject.request.prompt,
                                 options.max_tokens, deadline_in(1e3 * options.deadline_ms)));
  const auto plans = plan_language(figures);
  for (const LanguageWayPlan& plan : plans) {
    report.ways.push_back(
        {std::string(language_way_name(plan.way)), plan.device_layers, plan.total_ms});
  }
  return plans[0];
}

Result<LanguageWayPlan> way_of(SharedGeneration& subject, SplitGenerateReport& report) {
  const SplitGenerateOptions& options = subject.options;
  if (options.way == "device") return LanguageWayPlan{LanguageWay::kDevice};
  EDGEWRIGHT_ASSIGN(subject.targets, language_targets(*subject.client, options.targets,
                                                      deadline_in(1e3 * options.deadline_ms)));
  const bool is_fixed_layers = options.way == "auto" && options.device_layers > 0;
  if (is_fixed_layers) return LanguageWayPlan{LanguageWay::kLayers, options.device_layers};
  if (options.way == "auto") return measured_way(subject, report);
  const auto* way = std::ranges::find(kWays, options.way, language_way_name);
  if (*way == LanguageWay::kLayers && options.device_layers == 0) {
    const int half = std::max(1, subject.language.model->config.layers / 2);
    return LanguageWayPlan{*way, half};
  }
  return LanguageWayPlan{*way, options.device_layers};
}

Status check_way(const SharedGeneration& subject, LanguageWay way) {
  const std::pair<LanguageWay, const std::string*> needed[] = {
      {LanguageWay::kPrompt, &subject.targets.prompt},
      {LanguageWay::kLayers, &subject.targets.layers},
      {LanguageWay::kDraft, &subject.targets.checker}};
  for (const auto& [with, target] : needed) {
    if (with != way || !target->empty()) continue;
    return usage_error("no --target is a model for the way {}", language_way_name(way));
  }
  if (way == LanguageWay::kDraft && subject.proposer == nullptr) {
    return usage_error("the way draft needs a small model here; give --draft");
  }
  return {};
}

void fill(const SplitGenerationResult& result, SplitGenerateReport& report) {
  report.text = result.text.text;
  report.tokens = result.text.tokens;
  report.finish = finish_name(result.text.finish);
  report.ttft_ms = result.first_ms;
  report.ms_per_token = result.ms_per_token;
  report.server_ms = result.server_ms;
  report.questions = result.questions;
  report.repeated_sequences = result.repeated_sequences;
  report.sent_bytes = result.sent_bytes;
  report.received_bytes = result.received_bytes;
  if (!result.failure.empty()) report.failure = result.failure;
  report.tokens_before_failure = result.tokens_before_failure;
}

Status generate_shared(SharedGeneration& subject, const LanguageWayPlan& plan,
                       SplitGenerateReport& report) {
  SplitGenerationOptions split;
  split.target = plan.way == LanguageWay::kLayers ? subject.targets.layers : subject.targets.prompt;
  split.is_alone = plan.way == LanguageWay::kDevice;
  split.device_layers = plan.way == LanguageWay::kLayers ? plan.device_layers : 0;
  split.deadline_us = 1e3 * subject.options.deadline_ms;
  split.fallback = subject.options.fallback;
  EDGEWRIGHT_ASSIGN(
      const SplitGenerationResult result,
      generate_split(*subject.client, subject.language.model, *subject.language.tokenizer,
                     subject.pool, subject.request, split));
  fill(result, report);
  return {};
}

Status generate_drafted(SharedGeneration& subject, SplitGenerateReport& report) {
  EDGEWRIGHT_ASSIGN(auto client, subject.server.open());
  const auto target =
      remote_target(std::move(client), subject.targets.checker, 1e3 * subject.options.deadline_ms);
  RemoteSpeculationOptions speculation;
  speculation.max_tokens = subject.options.max_tokens;
  speculation.sampling = subject.request.sampling;
  EDGEWRIGHT_ASSIGN(const RemoteSpeculationResult result,
                    speculate_over_link(*target, *subject.proposer, subject.request.prompt,
                                        subject.language.model->config.eos, speculation));
  report.tokens = result.tokens;
  report.text = subject.language.tokenizer->decode(result.tokens);
  report.finish = finish_name(result.has_ended ? FinishReason::kEnd : FinishReason::kLength);
  report.ttft_ms = result.first_ms;
  report.ms_per_token = result.ms_per_token;
  report.questions = 1 + result.rounds + result.plain_rounds;
  return {};
}

// The device alone, after the server has failed.
Status go_on_alone(SharedGeneration& subject, const Error& why, SplitGenerateReport& report) {
  if (!subject.options.fallback || why.kind != ErrorKind::kCheckFailed) return Error(why);
  report.failure = why.message;
  report.way = language_way_name(LanguageWay::kDevice);
  return generate_shared(subject, {LanguageWay::kDevice}, report);
}

}  // namespace

Result<SplitGenerateReport> generate_split(const SplitGenerateOptions& options) {
  EDGEWRIGHT_TRY(check(options));
  SharedGeneration subject(options);
  EDGEWRIGHT_TRY(open_subject(subject));
  SplitGenerateReport report;
  report.prompt_tokens = static_cast<int>(subject.request.prompt.size());
  auto plan = way_of(subject, report);
  if (!plan.ok()) {
    EDGEWRIGHT_TRY(go_on_alone(subject, plan.error(), report));
  } else {
    EDGEWRIGHT_TRY(check_way(subject, plan->way));
    report.way = language_way_name(plan->way);
    report.device_layers = plan->device_layers;
    if (plan->way != LanguageWay::kDraft) {
      EDGEWRIGHT_TRY(generate_shared(subject, *plan, report));
    } else if (const Status drafted = generate_drafted(subject, report); !drafted.ok()) {
      EDGEWRIGHT_TRY(go_on_alone(subject, drafted.error(), report));
    }
  }
  if (!report.failure.empty()) {
    report.warnings.push_back("the device went on alone: " + report.failure);
  }
  return report;
}

}  // namespace edgewright
