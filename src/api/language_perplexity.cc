#include <algorithm>
#include <chrono>
#include <cmath>

#include "api/language_state.h"
#include "base/clock.h"
#include "llm/difficulty.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// Rows of logits that are kept at a time, about 16 MB of them.
int logit_rows(int vocabulary) { return std::clamp((1 << 22) / vocabulary, 8, 512); }

// Windows that go side by side where tokens are computed one by one.
constexpr int64_t kSideBySide = 16;

// One window that is computed token by token.
struct Walk {
  std::span<const int> tokens;
  SequenceCache cache;
  Difficulty difficulty;
};

// The next token of the walks that are easy, or of the others. Returns the sum of negative log
// likelihoods of the tokens that follow.
double take_step(Decoder& decoder, std::vector<Walk*>& walks, size_t step,
                 std::vector<float>& logits) {
  const auto vocabulary = static_cast<size_t>(decoder.config().vocabulary);
  std::vector<DecoderRun> runs;
  runs.reserve(walks.size());
  for (Walk* walk : walks) runs.push_back({&walk->cache, walk->tokens.subspan(step, 1), 1});
  logits.resize(walks.size() * vocabulary);
  decoder.run(runs, language::Phase::kDecode, logits);
  double total = 0;
  for (size_t i = 0; i < walks.size(); ++i) {
    const auto row = std::span(logits).subspan(i * vocabulary, vocabulary);
    total -= log_probability(row, walks[i]->tokens[step + 1]);
    walks[i]->difficulty.see(row);
  }
  return total;
}

}  // namespace

Result<PerplexityReport> LanguageModel::perplexity(std::string_view text,
                                                   const PerplexityOptions& options) {
  State& state = *state_;
  const ModelConfig& config = state.model->config;
  const std::vector<int> tokens = state.tokenizer->encode(text, false);
  const int window = std::min(options.window, config.context);
  if (window < 2 || options.windows < 0)
    return usage_error("expected a window of 2 tokens or more");
  int64_t windows = (std::ssize(tokens) - 1) / window;
  if (options.windows > 0) windows = std::min<int64_t>(windows, options.windows);
  if (windows < 1) {
    return usage_error("the text has {} tokens, too few for one window of {}", tokens.size(),
                       window + 1);
  }
  if (options.bos && config.bos < 0) return usage_error("the model has no beginning-of-text token");
  const auto start = Clock::now();
  const std::shared_ptr<const PackedModel>& easy = state.engine_options.light;
  const std::unique_ptr<Decoder> light =
      easy ? std::make_unique<Decoder>(easy, state.pool) : nullptr;
  const int64_t together = light ? std::min(kSideBySide, windows) : 1;
  KvCache cache(config, state.engine_options.cache,
                static_cast<int>(together) * (window / kPageTokens + 2));
  const int bos = options.bos ? config.bos : -1;
  PerplexityReport report;
  report.tokens = windows * window;
  double total = 0;
  for (int64_t i = 0; i < windows; i += together) {
    std::vector<std::span<const int>> parts;
    for (int64_t k = i; k < std::min(windows, i + together); ++k) {
      parts.push_back(std::span(tokens).subspan(static_cast<size_t>(k * window),
                                                static_cast<size_t>(window) + 1));
    }
    total += light ? state.negative_log_likelihood_by_difficulty(parts, bos, cache, *light,
                                                                 report.light_tokens)
                   : state.negative_log_likelihood(parts[0], bos, cache);
    if (state.progress) {
      state.progress("perplexity", static_cast<size_t>(i) + parts.size(),
                     static_cast<size_t>(windows));
    }
  }
  report.perplexity = std::exp(total / static_cast<double>(report.tokens));
  report.tokens_per_s = static_cast<double>(report.tokens) / microseconds_since(start) * 1e6;
  return report;
}

// Of tokens[1..], each given those before it.
double LanguageModel::State::negative_log_likelihood(std::span<const int> tokens, int bos,
                                                     KvCache& cache) {
  Decoder& decoder = engine->decoder();
  const auto vocabulary = static_cast<size_t>(model->config.vocabulary);
  SequenceCache sequence(cache);
  EDGEWRIGHT_CHECK(sequence.reserve(static_cast<int>(tokens.size())));
  if (bos >= 0) {
    const DecoderRun run{&sequence, std::span(&bos, 1), 0};
    decoder.run(std::span(&run, 1), language::Phase::kPrefill, {});
  }
  const auto rows = static_cast<size_t>(logit_rows(model->config.vocabulary));
  std::vector<float> logits;
  double total = 0;
  for (size_t begin = 0; begin + 1 < tokens.size(); begin += rows) {
    const size_t count = std::min(rows, tokens.size() - 1 - begin);
    logits.resize(count * vocabulary);
    const DecoderRun run{&sequence, tokens.subspan(begin, count), static_cast<int>(count)};
    decoder.run(std::span(&run, 1), language::Phase::kPrefill, logits);
    for (size_t i = 0; i < count; ++i) {
      total -= log_probability(std::span(logits).subspan(i * vocabulary, vocabulary),
                               tokens[begin + i + 1]);
    }
  }
  return total;
}

// The same of several windows of equal length, every token with the weights that generate would
// take for it.
double LanguageModel::State::negative_log_likelihood_by_difficulty(
    std::span<const std::span<const int>> windows, int bos, KvCache& cache, Decoder& light,
    int64_t& light_tokens) {
  Decoder& usual = engine->decoder();
  std::vector<Walk> walks;
  walks.reserve(windows.size());
  for (const std::span<const int> tokens : windows) {
    walks.push_back({tokens, SequenceCache(cache), Difficulty(engine_options.light_entropy)});
    SequenceCache& sequence = walks.back().cache;
    EDGEWRIGHT_CHECK(sequence.reserve(static_cast<int>(tokens.size())));
    if (bos < 0) continue;
    const DecoderRun run{&sequence, std::span(&bos, 1), 0};
    usual.run(std::span(&run, 1), language::Phase::kPrefill, {});
  }
  std::vector<float> logits;
  double total = 0;
  for (size_t step = 0; step + 1 < windows[0].size(); ++step) {
    std::vector<Walk*> easy, hard;
    for (Walk& walk : walks) (walk.difficulty.easy() ? easy : hard).push_back(&walk);
    light_tokens += std::ssize(easy);
    if (!hard.empty()) total += take_step(usual, hard, step, logits);
    if (!easy.empty()) total += take_step(light, easy, step, logits);
  }
  return total;
}

}  // namespace edgewright
