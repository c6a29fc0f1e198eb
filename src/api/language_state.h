#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "api/energy_watch.h"
#include "api/language_open.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "edgewright/language.h"
#include "llm/engine.h"

namespace edgewright {

struct LanguageModel::State {
  State(int threads, const std::string& power_root) : pool(threads), energy(power_root) {}

  Result<TextResult> run(TextRequest request, const std::string& speculate,
                         std::optional<SpeculationReport>& speculation);
  Result<std::vector<int>> prompt_tokens(const GenerateOptions& options) const;
  double negative_log_likelihood(std::span<const int> tokens, int bos, KvCache& cache);
  double negative_log_likelihood_by_difficulty(std::span<const std::span<const int>> windows,
                                               int bos, KvCache& cache, Decoder& light,
                                               int64_t& light_tokens);
  // `context`: tokens whose keys and values a decoded token reads.
  void add_memory_figures(double context, bool measure, LanguageFigures& figures);

  ThreadPool pool;
  EnergyWatch energy;
  EngineOptions engine_options;
  std::shared_ptr<const PackedModel> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<Engine> engine;
  std::shared_ptr<const PackedModel> draft;  // null: none
  Progress progress;
  double load_us = 0, bandwidth = 0;
};

}  // namespace edgewright
