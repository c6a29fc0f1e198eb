#pragma once

#include "api/language_open.h"
#include "base/thread_pool.h"

namespace edgewright {

// A language model of which this machine does a part.
struct OpenedLanguage {
  std::shared_ptr<const PackedModel> model;
  std::shared_ptr<const Tokenizer> tokenizer;
};
Result<OpenedLanguage> open_for_split(const std::string& path, ThreadPool& pool, int threads);
// With the beginning-of-text token that the model wants. kUsage when there is none.
Result<std::vector<int>> prompt_tokens(const OpenedLanguage& language, const std::string& prompt);

}  // namespace edgewright
