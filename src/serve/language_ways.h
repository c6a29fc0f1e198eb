#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "llm/packed_model.h"
#include "llm/speculate.h"
#include "serve/client.h"
#include "split/language_choice.h"

namespace edgewright {

class ThreadPool;

// Which of the server's models does which part, by what they take and give
// (serve/language/partner_models.h, serve/remote_speculation.h); empty: none.
struct LanguageTargets {
  std::string prompt, layers, checker;
};
// kUnsupported for a model that is none of these.
Result<LanguageTargets> language_targets(InferenceClient& client,
                                         std::span<const std::string> names,
                                         InferenceClient::Deadline deadline);

// What plan_language() has to know: a few tokens are computed here and by each of the targets, and
// the link is measured. `proposer`: a small model here, or null.
Result<SharedTimes> measure_ways(InferenceClient& client, const LanguageTargets& targets,
                                 const std::shared_ptr<const PackedModel>& model, ThreadPool& pool,
                                 Proposer* proposer, const std::vector<int>& prompt,
                                 int answer_tokens, InferenceClient::Deadline deadline);

}  // namespace edgewright
