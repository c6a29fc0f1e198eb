#pragma once

#include <memory>
#include <string>

#include "edgewright/language.h"
#include "llm/packed_model.h"
#include "llm/tokenizer.h"

namespace edgewright {

// A model as its files describe it, before anything is packed.
struct LanguageSource {
  ModelConfig config;
  WeightSet set;
  NamedWeights weights;
  TokenizerSource tokenizer;
  std::vector<std::shared_ptr<const void>> owned;  // what weights point into beside files
};

enum class LanguageFormat : uint8_t { kNone, kHuggingFace, kGguf, kPacked };
LanguageFormat language_format(const std::string& path);

// Reads a Hugging Face folder, a GGUF file or an ONNX decoder.
Result<LanguageSource> read_language_source(const std::string& path);
// Packs it, or maps a packed model. `precision` other than "stored" is an error for packed models.
Result<PackedModel> open_packed_model(const std::string& path, const LanguageOptions& options,
                                      ThreadPool& pool);
LanguageInfo language_info(const PackedModel& model);
// The tokenizer that options.tokenizer, the model or a file beside it names; an empty source when
// there is none.
Result<TokenizerSource> find_tokenizer(const std::string& path, const std::string& given);
// Without one, text is token numbers.
Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const TokenizerSource& source,
                                                        int vocabulary);

}  // namespace edgewright
