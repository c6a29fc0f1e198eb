#include "api/language_split.h"

#include "llm/beginning.h"

namespace edgewright {

Result<OpenedLanguage> open_for_split(const std::string& path, ThreadPool& pool, int threads) {
  LanguageOptions options;
  options.threads = threads;
  EDGEWRIGHT_ASSIGN(PackedModel packed, open_packed_model(path, options, pool));
  OpenedLanguage opened;
  opened.model = std::make_shared<const PackedModel>(std::move(packed));
  EDGEWRIGHT_ASSIGN(opened.tokenizer,
                    open_tokenizer(opened.model->tokenizer, opened.model->config.vocabulary));
  return opened;
}

Result<std::vector<int>> prompt_tokens(const OpenedLanguage& language, const std::string& prompt) {
  std::vector<int> tokens = language.tokenizer->encode(prompt, false);
  add_beginning(*language.model, *language.tokenizer, tokens);
  if (tokens.empty()) return usage_error("the prompt is empty");
  return tokens;
}

}  // namespace edgewright
