#include <algorithm>

#include "edgewright/language.h"
#include "llm/sampler.h"

namespace edgewright {
namespace {

std::vector<int> fitting_contexts(const LanguageBenchOptions& options, int longest) {
  if (!options.contexts.empty()) return options.contexts;
  std::vector<int> contexts;
  for (const int context : {16, 128, 512, 2048, 4096}) {
    if (context + options.tokens <= longest) contexts.push_back(context);
  }
  return contexts.empty() ? std::vector<int>{1} : contexts;
}

GenerateOptions generation(int context, int tokens, const LanguageBenchOptions& options,
                           int vocabulary) {
  GenerateOptions generate;
  generate.max_tokens = tokens;
  generate.ignore_end = true;
  generate.measure_bandwidth = false;
  for (int i = 0; i < context; ++i) {
    const double share = uniform(options.seed, static_cast<uint64_t>(i), 1);
    generate.prompt_tokens.push_back(static_cast<int>(share * vocabulary));
  }
  return generate;
}

// The best of two rounds after one to warm up; every round has another prompt, so that no prefix is
// found again.
Result<ContextFigures> measure(LanguageModel& model, int context, LanguageBenchOptions options,
                               LanguageBenchReport& report) {
  ContextFigures row;
  row.context = context;
  const uint64_t seed = options.seed;
  for (uint64_t round = 0; round < 3; ++round) {
    options.seed = seed + 1000 * round + static_cast<uint64_t>(context);
    const GenerateOptions generate =
        generation(context, options.tokens, options, report.model.vocabulary);
    EDGEWRIGHT_ASSIGN(const GenerateReport made, model.generate(generate));
    const LanguageFigures& figures = made.figures;
    report.figures.load_us = figures.load_us;
    report.figures.weight_bytes = figures.weight_bytes;
    report.figures.cache_bytes = figures.cache_bytes;
    report.figures.peak_rss_bytes = figures.peak_rss_bytes;
    row.bytes_per_token = figures.bytes_per_token;
    if (round == 0) continue;
    if (row.ttft_us == 0 || figures.ttft_us < row.ttft_us) {
      row.ttft_us = figures.ttft_us;
      row.prefill_tokens_per_s = figures.prefill_tokens_per_s;
    }
    row.decode_tokens_per_s = std::max(row.decode_tokens_per_s, figures.decode_tokens_per_s);
    // The longest context asked for says most of what an answer costs.
    report.figures.energy = figures.energy;
  }
  if (row.decode_tokens_per_s > 0) row.tpot_us = 1e6 / row.decode_tokens_per_s;
  return row;
}

// Shares of the memory's speed, which is measured last because it takes memory.
Status add_bandwidth(LanguageModel& model, const LanguageBenchOptions& options,
                     LanguageBenchReport& report) {
  GenerateOptions generate = generation(1, 1, options, report.model.vocabulary);
  generate.measure_bandwidth = true;
  EDGEWRIGHT_ASSIGN(const GenerateReport made, model.generate(generate));
  const double bandwidth = made.figures.memory_bandwidth_bytes_per_s;
  report.figures.memory_bandwidth_bytes_per_s = bandwidth;
  for (ContextFigures& row : report.contexts) {
    row.bandwidth_share = row.bytes_per_token * row.decode_tokens_per_s / bandwidth;
  }
  const ContextFigures& first = report.contexts[0];
  report.figures.ttft_us = first.ttft_us;
  report.figures.prefill_tokens_per_s = first.prefill_tokens_per_s;
  report.figures.decode_tokens_per_s = first.decode_tokens_per_s;
  report.figures.bytes_per_token = first.bytes_per_token;
  report.figures.bandwidth_share = first.bandwidth_share;
  return {};
}

}  // namespace

Result<LanguageBenchReport> bench_language_model(const std::string& path,
                                                 const LanguageBenchOptions& options) {
  LanguageBenchReport report;
  report.threads = options.language.threads;
  EDGEWRIGHT_ASSIGN(LanguageModel model, LanguageModel::open(path, options.language));
  report.model = model.info();
  const int longest =
      options.language.context > 0 ? options.language.context : report.model.context;
  for (const int context : fitting_contexts(options, longest)) {
    if (context < 1 || context + options.tokens > longest) {
      return usage_error("{} tokens after {} do not fit the context of {}", options.tokens, context,
                         longest);
    }
    EDGEWRIGHT_ASSIGN(const ContextFigures row, measure(model, context, options, report));
    report.contexts.push_back(row);
  }
  EDGEWRIGHT_TRY(add_bandwidth(model, options, report));
  return report;
}

}  // namespace edgewright
