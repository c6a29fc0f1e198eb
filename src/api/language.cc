#include "edgewright/language.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>

#include "api/language_state.h"
#include "base/clock.h"
#include "llm/bandwidth.h"
#include "llm/beginning.h"
#include "llm/chat.h"
#include "llm/speculate.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

int64_t peak_rss_bytes() {
  struct rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;  // Linux counts in KiB
}

Sampling sampling_of(const SamplingOptions& options) {
  return {options.temperature,        options.top_k, options.top_p, options.min_p,
          options.repetition_penalty, options.seed};
}

Status check_sampling(const SamplingOptions& o) {
  const bool sound = o.temperature >= 0 && o.top_k >= 0 && o.top_p > 0 && o.top_p <= 1 &&
                     o.min_p >= 0 && o.min_p <= 1 && o.repetition_penalty > 0;
  if (sound) return {};
  return usage_error(
      "expected temperature >= 0, top-k >= 0, 0 < top-p <= 1, 0 <= min-p <= 1 and "
      "repetition penalty > 0");
}

Result<language::CacheType> cache_type_of(std::string_view name) {
  if (name == "fp16") return language::CacheType::kF16;
  if (name == "int8") return language::CacheType::kInt8;
  if (name == "fp32") return language::CacheType::kF32;
  return usage_error("found kv cache '{}', expected fp16, int8 or fp32", name);
}

// "int8/int4@0.8": the usual precision, that of easy tokens, and how easy they are.
struct Precisions {
  std::string usual, light;
  double light_entropy = 1;
};
Result<Precisions> precisions_of(const std::string& text) {
  Precisions out;
  const size_t slash = text.find('/'), at = text.find('@');
  out.usual = text.substr(0, slash);
  if (slash == std::string::npos) return out;
  out.light = text.substr(slash + 1, at == std::string::npos ? at : at - slash - 1);
  if (at == std::string::npos) return out;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data() + at + 1, end, out.light_entropy);
  if (code != std::errc() || stop != end || !(out.light_entropy >= 0)) {
    return usage_error("precision '{}', expected two as in int8/int4 or int8/int4@0.8", text);
  }
  return out;
}

}  // namespace

LanguageModel::LanguageModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
LanguageModel::~LanguageModel() = default;
LanguageModel::LanguageModel(LanguageModel&&) noexcept = default;
LanguageModel& LanguageModel::operator=(LanguageModel&&) noexcept = default;

Result<LanguageModel> LanguageModel::open(const std::string& path, const LanguageOptions& options) {
  const auto start = Clock::now();
  auto state = std::make_unique<State>(options.threads, options.power_root);
  state->progress = options.progress;
  EDGEWRIGHT_ASSIGN(const Precisions precisions, precisions_of(options.precision));
  LanguageOptions usual = options;
  usual.precision = precisions.usual;
  if (!options.phase_file.empty()) {
    EDGEWRIGHT_ASSIGN(state->engine_options.on_phase, phase_file(options.phase_file));
  }
  if (!options.advice_file.empty()) {
    state->engine_options.advice = advice_file(options.advice_file);
  }
  if (!options.stages.empty()) {
    EDGEWRIGHT_ASSIGN(state->engine_options.stages, parse_stages(options.stages));
  }
  EDGEWRIGHT_ASSIGN(state->engine_options.cache, cache_type_of(options.kv_cache));
  EDGEWRIGHT_ASSIGN(PackedModel packed, open_packed_model(path, usual, state->pool));
  state->model = std::make_shared<const PackedModel>(std::move(packed));
  if (!precisions.light.empty()) {
    usual.precision = precisions.light;
    EDGEWRIGHT_ASSIGN(PackedModel light, open_packed_model(path, usual, state->pool));
    state->engine_options.light = std::make_shared<const PackedModel>(std::move(light));
    state->engine_options.light_entropy = precisions.light_entropy;
  }
  EDGEWRIGHT_ASSIGN(state->tokenizer,
                    open_tokenizer(state->model->tokenizer, state->model->config.vocabulary));
  if (state->tokenizer->size() > state->model->config.vocabulary) {
    return bad_input("{}: the tokenizer has {} tokens, the model only {}", path,
                     state->tokenizer->size(), state->model->config.vocabulary);
  }
  if (!options.draft.empty()) {
    LanguageOptions draft = options;
    EDGEWRIGHT_ASSIGN(const Precisions of_draft, precisions_of(options.draft_precision));
    draft.precision = of_draft.usual;
    EDGEWRIGHT_ASSIGN(PackedModel small, open_packed_model(options.draft, draft, state->pool));
    if (small.config.vocabulary != state->model->config.vocabulary) {
      return usage_error("the draft model knows {} tokens, the model {}; expected the same",
                         small.config.vocabulary, state->model->config.vocabulary);
    }
    state->draft = std::make_shared<const PackedModel>(std::move(small));
  }
  if (options.context < 0) return usage_error("found a context of {} tokens", options.context);
  state->engine_options.context = options.context;
  state->engine =
      std::make_unique<Engine>(state->model, state->tokenizer, state->pool, state->engine_options);
  state->load_us = microseconds_since(start);
  return LanguageModel(std::move(state));
}

LanguageInfo LanguageModel::info() const { return language_info(*state_->model); }

std::vector<int> LanguageModel::encode(std::string_view text) const {
  return state_->tokenizer->encode(text, false);
}

std::string LanguageModel::decode(const std::vector<int>& tokens) const {
  return state_->tokenizer->decode(tokens);
}

Result<GenerateReport> LanguageModel::generate(const GenerateOptions& options) {
  State& state = *state_;
  EDGEWRIGHT_TRY(check_sampling(options.sampling));
  if (options.overflow != "stop" && options.overflow != "slide") {
    return usage_error("found overflow '{}', expected stop or slide", options.overflow);
  }
  if (options.max_tokens < 1) return usage_error("found {} tokens to make", options.max_tokens);
  const auto start = Clock::now();
  TextRequest request;
  EDGEWRIGHT_ASSIGN(request.prompt, state.prompt_tokens(options));
  request.max_tokens = options.max_tokens;
  request.sampling = sampling_of(options.sampling);
  request.stop_strings = options.stop;
  if (!options.chat.empty()) {
    for (std::string& text : chat_stop_strings(state.model->tokenizer.chat_template)) {
      request.stop_strings.push_back(std::move(text));
    }
  }
  request.log_probabilities = options.log_probabilities;
  request.ignore_end = options.ignore_end;
  request.overflow = options.overflow == "slide" ? Overflow::kSlide : Overflow::kStop;
  GenerateReport report;
  double first_us = 0;
  request.on_token = [&](const TokenEvent& event) {
    if (first_us == 0) first_us = microseconds_since(start);
    return event.text.empty() || !options.on_text || options.on_text(event.text);
  };
  const std::string speculate =
      options.speculate.empty() ? (state.draft ? "draft" : "none") : options.speculate;
  state.energy.begin();
  auto run = state.run(std::move(request), speculate, report.speculation);
  const double total_us = microseconds_since(start);
  report.figures.energy = state.energy.end(run.ok() ? std::ssize(run->tokens) : 0);
  EDGEWRIGHT_ASSIGN(const TextResult result, std::move(run));
  report.text = result.text;
  report.tokens = result.tokens;
  for (const Likelihood& each : result.likelihoods) {
    report.log_probabilities.push_back(each.log_probability);
  }
  report.finish = finish_name(result.finish);
  report.prompt_tokens = result.prompt_tokens;
  report.reused_tokens = result.reused_tokens;
  report.light_tokens = result.light_tokens;
  LanguageFigures& figures = report.figures;
  figures.load_us = state.load_us;
  figures.ttft_us = first_us == 0 ? total_us : first_us;
  figures.prefill_tokens_per_s =
      (result.prompt_tokens - result.reused_tokens) / figures.ttft_us * 1e6;
  const auto decoded = static_cast<double>(result.tokens.size()) - 1;
  if (decoded > 0) figures.decode_tokens_per_s = decoded / (total_us - figures.ttft_us) * 1e6;
  state.add_memory_figures(result.prompt_tokens + decoded / 2, options.measure_bandwidth, figures);
  return report;
}

Result<TextResult> LanguageModel::State::run(TextRequest request, const std::string& speculate,
                                             std::optional<SpeculationReport>& speculation) {
  if (speculate == "none") {
    auto submitted = engine->submit(std::move(request));
    if (!submitted.ok()) return std::move(submitted).error();
    while (engine->step()) {
    }
    std::vector<TextResult> results = engine->take_finished();
    EDGEWRIGHT_CHECK(results.size() == 1);
    return std::move(results[0]);
  }
  const int context = engine->context();
  if (std::ssize(request.prompt) >= context) {
    return usage_error("the prompt has {} tokens, at most {} fit", request.prompt.size(),
                       context - 1);
  }
  if (request.overflow == Overflow::kSlide) {
    return usage_error("speculation and a sliding context do not go together");
  }
  std::unique_ptr<Proposer> proposer;
  if (speculate == "lookup") proposer = prompt_lookup();
  if (speculate == "draft" && draft) proposer = draft_model(draft, pool, context);
  if (!proposer) {
    return usage_error("found speculation '{}', expected none, lookup, or draft with a draft model",
                       speculate);
  }
  KvCache cache(model->config, engine_options.cache, context / kPageTokens + 2);
  SpeculationFigures figures;
  const auto tell = [this](const EnginePhase& phase) {
    if (engine_options.on_phase) engine_options.on_phase(phase);
  };
  tell({.kind = EnginePhase::Kind::kDecode,
        .batch = 1,
        .context = static_cast<double>(request.prompt.size())});
  TextResult result = run_speculative(engine->decoder(), cache, *proposer, std::move(request),
                                      *tokenizer, context, figures);
  tell({});
  speculation = {speculate,          figures.proposed,          figures.accepted,
                 figures.acceptance, figures.predicted_speedup, figures.measured_speedup};
  return result;
}

void LanguageModel::State::add_memory_figures(double context, bool measure,
                                              LanguageFigures& figures) {
  figures.weight_bytes = model->weight_bytes();
  figures.cache_bytes = static_cast<int64_t>(engine->cache().held_bytes());
  const double cache_per_token = static_cast<double>(engine->cache().page_bytes()) / kPageTokens;
  figures.bytes_per_token =
      static_cast<double>(model->bytes_per_token()) + cache_per_token * context;
  figures.peak_rss_bytes = peak_rss_bytes();
  if (!measure) return;
  // Measured last: it takes memory of its own.
  if (bandwidth == 0) {
    bandwidth = measure_read_bandwidth(pool, static_cast<size_t>(figures.bytes_per_token));
  }
  figures.memory_bandwidth_bytes_per_s = bandwidth;
  figures.bandwidth_share = figures.bytes_per_token * figures.decode_tokens_per_s / bandwidth;
}

Result<std::vector<int>> LanguageModel::State::prompt_tokens(const GenerateOptions& options) const {
  if (!options.prompt_tokens.empty()) return options.prompt_tokens;
  std::vector<int> tokens;
  if (options.chat.empty()) {
    tokens = tokenizer->encode(options.prompt, false);
    add_beginning(*model, *tokenizer, tokens);
  } else {
    std::vector<ChatTurn> turns;
    turns.reserve(options.chat.size());
    for (const ChatMessage& message : options.chat) {
      turns.push_back({message.role, message.content});
    }
    EDGEWRIGHT_ASSIGN(tokens, chat_tokens(*model, *tokenizer, turns));
  }
  if (tokens.empty()) return usage_error("the prompt is empty");
  return tokens;
}

Result<std::vector<float>> LanguageModel::logits(const std::vector<int>& tokens, bool stepwise) {
  State& state = *state_;
  const ModelConfig& config = state.model->config;
  for (const int token : tokens) {
    if (token < 0 || token >= config.vocabulary) return usage_error("token {} is unknown", token);
  }
  const auto vocabulary = static_cast<size_t>(config.vocabulary);
  KvCache cache(config, state.engine_options.cache,
                static_cast<int>(tokens.size()) / kPageTokens + 2);
  SequenceCache sequence(cache);
  EDGEWRIGHT_CHECK(sequence.reserve(static_cast<int>(tokens.size())));
  std::vector<float> logits(tokens.size() * vocabulary);
  const size_t rows = stepwise ? 1 : tokens.size();
  for (size_t begin = 0; begin < tokens.size(); begin += rows) {
    const DecoderRun run{&sequence, std::span(tokens).subspan(begin, rows), static_cast<int>(rows)};
    state.engine->decoder().run(std::span(&run, 1),
                                stepwise ? language::Phase::kDecode : language::Phase::kPrefill,
                                std::span(logits).subspan(begin * vocabulary, rows * vocabulary));
  }
  return logits;
}

}  // namespace edgewright
