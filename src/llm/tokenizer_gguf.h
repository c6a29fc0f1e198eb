#pragma once

#include "base/json.h"
#include "llm/packed_model.h"

namespace edgewright {

// The tokenizer that a GGUF file's metadata describes, in the form of the file that it was made
// from. Kinds other than "llama" and "gpt2", and unknown pre-tokenizers, are unsupported by name.
Result<TokenizerSource> tokenizer_from_gguf(const Json& metadata);
// The metadata that describes a tokenizer.
Result<Json> tokenizer_to_gguf(const TokenizerSource& tokenizer, const ModelConfig& config);

}  // namespace edgewright
