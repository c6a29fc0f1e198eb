#include "power/language_load.h"

#include <algorithm>

#include "base/json.h"

namespace edgewright {
namespace {

// Parallel regions of one layer: projections, attention, output, gate and up, down.
constexpr int64_t kBarriersPerLayer = 5;

struct Precision {
  std::string_view name, dtype;
  double bytes;  // per weight; groups of 32 share a scale of two bytes
};
constexpr Precision kPrecisions[] = {
    {"fp16", "float16", 2.0}, {"int8", "int8", 1.0625}, {"int4", "int8", 0.5625}};

}  // namespace

Result<LanguageShape> parse_language_config(std::string_view text, std::string_view file) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return bad_input("{}: expected a JSON object as config.json has it", file);
  LanguageShape shape;
  const auto read = [&](const char* key, int64_t& out, int64_t fallback = 0) -> Status {
    const auto found = json.find(key);
    out = found != json.end() && found->is_number_integer() ? found->get<int64_t>() : fallback;
    if (out < 1 || out > 10'000'000) {
      return bad_input("{}: '{}' is missing or not from 1 to 10000000", file, key);
    }
    return {};
  };
  EDGEWRIGHT_TRY(read("hidden_size", shape.hidden));
  EDGEWRIGHT_TRY(read("num_hidden_layers", shape.layers));
  EDGEWRIGHT_TRY(read("num_attention_heads", shape.heads));
  EDGEWRIGHT_TRY(read("num_key_value_heads", shape.kv_heads, shape.heads));
  EDGEWRIGHT_TRY(read("head_dim", shape.head_size, shape.hidden / shape.heads));
  EDGEWRIGHT_TRY(read("intermediate_size", shape.feed_forward));
  EDGEWRIGHT_TRY(read("vocab_size", shape.vocabulary));
  return shape;
}

int64_t parameter_count(const LanguageShape& shape) {
  const int64_t attention = 2 * shape.hidden * shape.heads * shape.head_size +
                            2 * shape.hidden * shape.kv_heads * shape.head_size;
  return shape.layers * (attention + 3 * shape.hidden * shape.feed_forward) +
         shape.hidden * shape.vocabulary;
}

Status set_precision(LanguageLoad& load, double parameters, const std::string& precision) {
  const auto* const known = std::ranges::find(kPrecisions, precision, &Precision::name);
  if (known == std::end(kPrecisions)) {
    return usage_error("precision '{}', expected fp16, int8 or int4", precision);
  }
  load.precision = known->name;
  load.dtype = known->dtype;
  load.weight_bytes = parameters * known->bytes;
  return {};
}

Result<LanguageLoad> language_load(const LanguageShape& shape, const std::string& precision) {
  const auto parameters = static_cast<double>(parameter_count(shape));
  LanguageLoad load;
  EDGEWRIGHT_TRY(set_precision(load, parameters, precision));
  load.operations_per_token = 2 * parameters;
  // Scores and their product with the values: two multiply-adds for each head and channel.
  load.operations_per_token_position =
      static_cast<double>(4 * shape.layers * shape.heads * shape.head_size);
  // Keys and values in 16 bits.
  load.cache_bytes_per_position =
      static_cast<double>(2 * 2 * shape.layers * shape.kv_heads * shape.head_size);
  load.layers = shape.layers;
  return load;
}

StepWork step_work(const LanguageLoad& load, double tokens, double context) {
  return {.operations =
              tokens * (load.operations_per_token + load.operations_per_token_position * context),
          .bytes = load.weight_bytes + tokens * context * load.cache_bytes_per_position,
          .barriers = load.layers * kBarriersPerLayer,
          .tokens = tokens,
          .weight_bytes = load.weight_bytes,
          .layers = load.layers};
}

StepWork prompt_work(const LanguageLoad& load, double tokens) {
  StepWork work = step_work(load, tokens, tokens / 2);
  work.is_prompt = true;
  return work;
}

}  // namespace edgewright
