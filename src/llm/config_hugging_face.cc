#include <algorithm>
#include <cmath>

#include "base/quote.h"
#include "llm/architecture.h"
#include "llm/config.h"

namespace edgewright {
namespace {

constexpr size_t kMaxFactors = 1024;

// What classes of a supported family may be beside the one that generates text.
constexpr std::string_view kOtherHeads[] = {
    "Model",
    "TextModel",
    "PreTrainedModel",
    "ForConditionalGeneration",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
};

Result<const Architecture*> architecture_of(const Json& json, Fields& fields) {
  std::string found = fields.text("model_type", "");
  const Json& classes = fields.at("architectures");
  std::string class_name;
  if (classes.is_array() && !classes.empty() && classes[0].is_string()) {
    class_name = classes[0].get<std::string>();
  }
  for (const Architecture& row : architecture_table()) {
    if (class_name == row.class_name || (class_name.empty() && found == row.model_type))
      return &row;
  }
  if (!json.is_object() || (class_name.empty() && found.empty())) {
    return bad_input("expected \"architectures\" or \"model_type\"");
  }
  const std::string& name = class_name.empty() ? found : class_name;
  if (!is_plain_name(name, "_-")) {
    return bad_input("architecture {}, expected a name such as {}", edgewright::quoted(name),
                     architecture_names());
  }
  for (const Architecture& row : architecture_table()) {
    if (class_name.empty() || found != row.model_type) continue;
    const std::string family(row.class_name.substr(0, row.class_name.find("For")));
    const bool exists = std::ranges::any_of(kOtherHeads, [&](std::string_view head) {
      return class_name == family + std::string(head);
    });
    if (!exists) {
      return bad_input("\"architectures\" names {}, \"model_type\" {}, which goes with {}",
                       class_name, found, row.class_name);
    }
  }
  return unknown_architecture(name, json, "");
}

void read_scaling(Fields& fields, int context, RopeConfig& rope) {
  const std::string type = fields.text("rope_type", fields.text("type", "default"));
  rope.theta = fields.number("rope_theta", rope.theta);
  rope.original_context = fields.count("original_max_position_embeddings", context);
  if (type == "default") return;
  rope.factor = fields.number("factor", 1.0f);
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
  } else if (type == "llama3") {
    rope.scaling = RopeScaling::kLlama3;
    rope.low_frequency_factor = fields.number("low_freq_factor", 1.0f);
    rope.high_frequency_factor = fields.number("high_freq_factor", 4.0f);
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::kYarn;
    rope.beta_fast = fields.number("beta_fast", 32.0f);
    rope.beta_slow = fields.number("beta_slow", 1.0f);
    // YaRN (Peng et al. 2023), equation 22.
    rope.attention_factor =
        fields.number("attention_factor", rope.factor > 1 ? 0.1f * std::log(rope.factor) + 1 : 1);
  } else if (type == "longrope" || type == "su") {
    rope.scaling = RopeScaling::kLongRope;
    rope.short_factors = fields.numbers("short_factor", kMaxFactors);
    rope.long_factors = fields.numbers("long_factor", kMaxFactors);
    const float stretch =
        static_cast<float>(context) / static_cast<float>(std::max(1, rope.original_context));
    // LongRoPE (Ding et al. 2024): sqrt(1 + ln(stretch) / ln(original)).
    rope.attention_factor = fields.number(
        "attention_factor",
        stretch > 1
            ? std::sqrt(1 + std::log(stretch) / std::log(static_cast<float>(rope.original_context)))
            : 1.0f);
  } else {
    fields.fail(unread_name("rope scaling", type, {"dynamic", "mrope", "proportional"}));
  }
}

Status read_rope_object(const Json& json, int context, RopeConfig& rope) {
  if (json.is_null()) return {};
  if (!json.is_object()) return bad_input("expected an object of rope parameters");
  Fields fields(json);
  read_scaling(fields, context, rope);
  return fields.status();
}

Status read_rope(Fields& fields, const Architecture& row, ModelConfig& config) {
  Fields parameters_of_rope(fields.at("rope_parameters"));
  const float share = fields.number("partial_rotary_factor",
                                    parameters_of_rope.number("partial_rotary_factor", 1.0f));
  config.rope.dims = static_cast<int>(static_cast<float>(config.head_dim) * share) / 2 * 2;
  config.rope.theta = fields.number("rope_theta", row.two_ropes ? 1e6f : 10000.0f);
  // Phi-3 keeps this beside the scaling, others inside it.
  const int original = fields.count("original_max_position_embeddings", config.context);
  config.rope.original_context = original;
  config.windowed_rope = config.rope;
  const Json& parameters = fields.at("rope_parameters");
  const Json& older = fields.at("rope_scaling");
  const bool by_kind = parameters.is_object() && parameters.contains("full_attention");
  const Json& whole =
      by_kind ? parameters["full_attention"] : (parameters.is_object() ? parameters : older);
  EDGEWRIGHT_TRY(read_rope_object(whole, config.context, config.rope));
  if (fields.has("original_max_position_embeddings")) config.rope.original_context = original;
  if (config.rope.scaling == RopeScaling::kLongRope && original != config.context) {
    RopeConfig again = config.rope;
    again.original_context = original;
    const float stretch = static_cast<float>(config.context) / static_cast<float>(original);
    if (stretch > 1 && !whole.contains("attention_factor")) {
      again.attention_factor =
          std::sqrt(1 + std::log(stretch) / std::log(static_cast<float>(original)));
    }
    config.rope = again;
  }
  if (!row.two_ropes) {
    config.windowed_rope = config.rope;
    return {};
  }
  config.windowed_rope.theta = fields.number("rope_local_base_freq", 10000.0f);
  if (by_kind && parameters.contains("sliding_attention")) {
    EDGEWRIGHT_TRY(
        read_rope_object(parameters["sliding_attention"], config.context, config.windowed_rope));
  }
  return {};
}

void read_windows(Fields& fields, const Architecture& row, ModelConfig& config) {
  config.windowed = windowed_layers(WindowPattern::kNone, config.layers);
  if (row.window == WindowPattern::kNone) return;
  const bool enabled =
      row.window != WindowPattern::kByFlag || fields.flag("use_sliding_window", false);
  const int window = fields.has("sliding_window") || row.default_window == 0
                         ? fields.integer("sliding_window", 0)
                         : row.default_window;
  if (!enabled || window <= 0) return;
  config.window = window;
  const Json& types = fields.at("layer_types");
  if (types.is_array() && std::ssize(types) == config.layers) {
    for (size_t i = 0; i < types.size(); ++i) config.windowed[i] = types[i] == "sliding_attention";
    return;
  }
  config.windowed = windowed_layers(row.window, config.layers);
  if (row.window == WindowPattern::kByFlag) {
    const int first = fields.integer("max_window_layers", config.layers);
    for (int i = 0; i < config.layers; ++i) config.windowed[static_cast<size_t>(i)] = i >= first;
  }
  const int pattern = fields.integer("sliding_window_pattern", 0);
  if (row.window == WindowPattern::kFiveOfSix && pattern > 0) {
    for (int i = 0; i < config.layers; ++i) {
      config.windowed[static_cast<size_t>(i)] = (i + 1) % pattern != 0;
    }
  }
}

void read_rotated_layers(Fields& fields, const Architecture& row, ModelConfig& config) {
  config.rotated.assign(static_cast<size_t>(config.layers), true);
  if (row.name != "smollm3") return;
  const Json& listed = fields.at("no_rope_layers");
  const int interval = std::max(1, fields.integer("no_rope_layer_interval", 4));
  for (int i = 0; i < config.layers; ++i) {
    const auto at = static_cast<size_t>(i);
    // A 1 in "no_rope_layers" means that the layer does turn.
    config.rotated[at] = listed.is_array() && std::ssize(listed) == config.layers
                             ? listed[at] != 0
                             : (i + 1) % interval != 0;
  }
}

Status check_activation(Fields& fields, const Architecture& row) {
  const std::string name = fields.text("hidden_activation", fields.text("hidden_act", "silu"));
  const bool gelu = name.starts_with("gelu");
  if ((row.activation == GateActivation::kSilu && (name == "silu" || name == "swish")) ||
      (row.activation == GateActivation::kGeluTanh && (gelu || name == "silu"))) {
    return {};
  }
  return unread_name(fmt::format("for {} the activation", row.name), name,
                     {"celu",     "elu",           "gelu",
                      "gelu_10",  "gelu_accurate", "gelu_fast",
                      "gelu_new", "gelu_python",   "gelu_pytorch_tanh",
                      "laplace",  "leaky_relu",    "linear",
                      "mish",     "prelu",         "quick_gelu",
                      "relu",     "relu2",         "relu6",
                      "sigmoid",  "silu",          "swish",
                      "tanh"});
}

void read_sizes(Fields& fields, ModelConfig& config) {
  config.hidden = fields.count("hidden_size");
  config.layers = fields.count("num_hidden_layers");
  config.heads = fields.count("num_attention_heads");
  config.kv_heads = fields.count("num_key_value_heads", config.heads);
  config.head_dim = fields.count("head_dim", std::max(1, config.hidden / config.heads));
  config.ffn = fields.count("intermediate_size");
  config.vocabulary = fields.count("vocab_size");
  config.context = fields.count("max_position_embeddings", 2048);
  config.norm_epsilon = fields.number("rms_norm_eps", 1e-6f);
  config.bos = fields.integer("bos_token_id", -1);
  config.eos = fields.end_tokens();
}

void read_features(Fields& fields, const Architecture& row, ModelConfig& config) {
  const bool bias = fields.flag("attention_bias", false);
  config.qkv_bias = row.qkv_bias || bias;
  config.output_bias = bias;
  config.qk_norm = row.qk_norm;
  config.post_norms = row.post_norms;
  config.norm_plus_one = row.norm_plus_one;
  config.activation = row.activation;
  config.tied = fields.flag("tie_word_embeddings", row.tied);
  if (row.scaled_embedding) {
    config.embedding_scale = std::sqrt(static_cast<float>(config.hidden));
  }
  const auto scalar = fields.number("query_pre_attn_scalar", static_cast<float>(config.head_dim));
  config.attention_scale = 1.0f / std::sqrt(scalar > 0 ? scalar : 1.0f);
  if (row.softcaps) {
    config.attention_softcap = fields.number("attn_logit_softcapping", 0);
    config.logit_softcap = fields.number("final_logit_softcapping", 0);
  }
  if (fields.flag("mlp_bias", false)) {
    fields.fail(unsupported("\"mlp_bias\": true is not supported"));
  }
}

}  // namespace

Result<ModelConfig> config_from_hugging_face(const Json& whole) {
  Fields outer(whole);
  // Gemma 3 with vision keeps the language model's part apart.
  const Json& inner = outer.at("text_config");
  const bool nested = inner.is_object() && outer.text("model_type", "") == "gemma3";
  if (nested) return config_from_hugging_face(inner);
  Fields fields(whole);
  EDGEWRIGHT_ASSIGN(const Architecture* row, architecture_of(whole, fields));
  ModelConfig config;
  config.architecture = row->name;
  read_sizes(fields, config);
  EDGEWRIGHT_TRY(fields.status());
  // Lists as long as the layers follow; the number is checked first.
  if (config.layers > 4096)
    return bad_input("found {} layers, expected at most 4096", config.layers);
  EDGEWRIGHT_TRY(check_activation(fields, *row));
  read_features(fields, *row, config);
  EDGEWRIGHT_TRY(read_rope(fields, *row, config));
  read_windows(fields, *row, config);
  read_rotated_layers(fields, *row, config);
  EDGEWRIGHT_TRY(fields.status());
  EDGEWRIGHT_TRY(check_config(config));
  return config;
}

}  // namespace edgewright
