#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace edgewright {

// The sizes of a decoder-only transformer of the Llama kind.
struct LanguageShape {
  int64_t hidden = 0, layers = 0, heads = 0, kv_heads = 0, head_size = 0;
  int64_t feed_forward = 0, vocabulary = 0;
};
// TinyLlama 1.1B (config.json of its release).
inline constexpr LanguageShape kLlama1b{.hidden = 2048,
                                        .layers = 22,
                                        .heads = 32,
                                        .kv_heads = 4,
                                        .head_size = 64,
                                        .feed_forward = 5632,
                                        .vocabulary = 32000};
// From a config.json of Hugging Face. kBadInput naming the key.
Result<LanguageShape> parse_language_config(std::string_view json, std::string_view file);
int64_t parameter_count(const LanguageShape& shape);

// What one token costs, derived from the shape: multiply-adds of every weight, the weights read
// once a step whatever the batch, the cache read once a token.
struct LanguageLoad {
  std::string precision;                     // of the weights: "fp16", "int8", "int4"
  std::string dtype;                         // of the arithmetic: "float16" or "int8"
  double operations_per_token = 0;           // a multiply-add counts as two
  double operations_per_token_position = 0;  // attention, for each position of context
  double weight_bytes = 0;
  double cache_bytes_per_position = 0;
  int64_t layers = 0;
};
// Precision, arithmetic and bytes of so many weights. kUsage naming the known precisions.
Status set_precision(LanguageLoad& load, double parameters, const std::string& precision);
Result<LanguageLoad> language_load(const LanguageShape& shape, const std::string& precision);

// The work of one step: `tokens` new ones in all (the prompt's in prefill, one a sequence in
// decode), with `context` positions before each on average.
struct StepWork {
  double operations = 0, bytes = 0;
  int64_t barriers = 0;  // points at which all cores wait for each other
  // What a pipeline of layers can do with it; no layers: it cannot be one.
  double tokens = 1, weight_bytes = 0;
  int64_t layers = 0;
  bool is_prompt = false;  // tokens of one sequence, otherwise each of its own
};
StepWork step_work(const LanguageLoad& load, double tokens, double context);
// Of a whole prompt.
StepWork prompt_work(const LanguageLoad& load, double tokens);

}  // namespace edgewright
