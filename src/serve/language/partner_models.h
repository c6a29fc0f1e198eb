#pragma once

#include <memory>

#include "serve/served_model.h"

namespace edgewright {

// Halves of language models for devices that do the other half (docs/commands/split-generate.md).

// The prompt here, the answer there. Input `tokens` (int32); outputs `cache` (float16 [layers, 2,
// tokens, kv heads * head size]: keys and values of them) and `time_us` (float64).
Result<std::unique_ptr<ServedModel>> prompt_model(const LanguageParts& parts, int threads);

// The first layers there, the others here, each side with its own keys and values. Inputs:
// `sequence` (uint64: a number that the device chose), `position` (int32: of the first row in the
// sequence; rows from there on are forgotten), `first_layer` (int32), `is_prompt` (int32: 0 or 1)
// and `states` (float32 [rows, hidden]: what comes into that layer). Outputs, for the last row:
// `logits` (float32), `token` (int32: the likeliest), and `time_us`. The latest sequences are kept;
// one that is gone is refused unless its position is 0.
Result<std::unique_ptr<ServedModel>> layers_model(const LanguageParts& parts, int threads);

}  // namespace edgewright
