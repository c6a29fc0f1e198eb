#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/quote.h"
#include "llm/architecture.h"
#include "llm/config.h"

namespace edgewright {
namespace {

// Metadata of one architecture: every key begins with its name.
class Keys {
 public:
  Keys(const Json& metadata, std::string prefix)
      : fields_(metadata), prefix_(std::move(prefix) + ".") {}
  int count(std::string_view key, std::optional<int> otherwise = std::nullopt) {
    return fields_.count(prefix_ + std::string(key), otherwise);
  }
  float number(std::string_view key, float otherwise) {
    return fields_.number(prefix_ + std::string(key), otherwise);
  }
  std::string text(std::string_view key) { return fields_.text(prefix_ + std::string(key), ""); }
  // The first of a list with one entry a layer, which all have to agree.
  int layer_count(std::string_view key, int otherwise) {
    const std::string name = prefix_ + std::string(key);
    if (!fields_.at(name).is_array()) return fields_.count(name, otherwise);
    const std::vector<int> values = fields_.integers(name, 4096);
    for (const int value : values) {
      if (value != values[0] || value < 1) {
        fields_.fail(unsupported("\"{}\" differs from layer to layer", name));
        return otherwise;
      }
    }
    return values.empty() ? otherwise : values[0];
  }
  bool has(std::string_view key) const { return fields_.has(prefix_ + std::string(key)); }
  Fields& fields() { return fields_; }

 private:
  Fields fields_;
  std::string prefix_;
};

void read_sizes(Keys& keys, const Json& metadata, ModelConfig& config) {
  config.hidden = keys.count("embedding_length");
  config.layers = keys.count("block_count");
  config.heads = keys.layer_count("attention.head_count", 1);
  config.kv_heads = keys.layer_count("attention.head_count_kv", config.heads);
  config.head_dim =
      keys.count("attention.key_length", std::max(1, config.hidden / std::max(1, config.heads)));
  config.ffn = keys.layer_count("feed_forward_length", 1);
  config.context = keys.count("context_length", 2048);
  config.norm_epsilon = keys.number("attention.layer_norm_rms_epsilon", 1e-5f);
  const auto tokens = metadata.find("tokenizer.ggml.tokens");
  const int listed =
      tokens != metadata.end() && tokens->is_array() ? static_cast<int>(tokens->size()) : 0;
  config.vocabulary = listed > 0 ? listed : keys.count("vocab_size");
  config.bos = keys.fields().integer("tokenizer.ggml.bos_token_id", -1);
  for (const char* name : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const int token = keys.fields().integer(name, -1);
    if (token >= 0) config.eos.push_back(token);
  }
}

void read_rope(Keys& keys, const Architecture& row, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  rope.theta = keys.number("rope.freq_base", 10000.0f);
  rope.dims = keys.count("rope.dimension_count", config.head_dim);
  rope.original_context = keys.count("rope.scaling.original_context_length", config.context);
  const std::string type = keys.text("rope.scaling.type");
  const float older = keys.number("rope.scale_linear", 1.0f);
  rope.factor = keys.number("rope.scaling.factor", older);
  if (type == "linear" || (type.empty() && rope.factor != 1.0f)) {
    rope.scaling = RopeScaling::kLinear;
  } else if (type == "yarn") {
    rope.scaling = RopeScaling::kYarn;
    rope.attention_factor = rope.factor > 1 ? 0.1f * std::log(rope.factor) + 1 : 1;
  } else if (!type.empty() && type != "none" && type != "longrope") {
    keys.fields().fail(unread_name("rope scaling", type, {}));
  }
  if (type == "longrope" || keys.has("rope.scaling.attn_factor")) {
    rope.attention_factor = keys.number("rope.scaling.attn_factor", 1.0f);
  }
  config.windowed_rope = rope;
  if (row.two_ropes) {
    config.windowed_rope.theta = keys.number("rope.freq_base_swa", 10000.0f);
    config.windowed_rope.scaling = RopeScaling::kNone;
  }
  config.rope_pairs = row.gguf_pairs;
}

void read_features(Keys& keys, const Architecture& row, ModelConfig& config) {
  config.qkv_bias = row.qkv_bias;
  config.qk_norm = row.qk_norm;
  config.post_norms = row.post_norms;
  // GGUF files hold norm weights with the one added.
  config.norm_plus_one = false;
  config.activation = row.activation;
  config.tied = row.tied;
  if (row.scaled_embedding) config.embedding_scale = std::sqrt(static_cast<float>(config.hidden));
  config.attention_scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
  // The 27 B model of Gemma 2 and 3 scales by hidden / heads; nothing in the file says so.
  const int wide = row.name == "gemma2" ? 46 : 62;
  if (row.post_norms && config.layers == wide) {
    config.attention_scale =
        1.0f / std::sqrt(static_cast<float>(config.hidden) / static_cast<float>(config.heads));
  }
  if (row.softcaps) {
    config.attention_softcap = keys.number("attn_logit_softcapping", 50.0f);
    config.logit_softcap = keys.number("final_logit_softcapping", 30.0f);
  }
  config.window = keys.count("attention.sliding_window", 1);
  if (!keys.has("attention.sliding_window")) config.window = row.default_window;
  const bool windowed = config.window > 0 && row.window != WindowPattern::kByFlag;
  config.windowed = windowed_layers(windowed ? row.window : WindowPattern::kNone, config.layers);
  // What "llama" files of Mistral say applies to all layers.
  if (row.name == "llama" && config.window > 0) {
    config.windowed = windowed_layers(WindowPattern::kAll, config.layers);
  }
  config.rotated.assign(static_cast<size_t>(config.layers), true);
  for (int i = 0; row.name == "smollm3" && i < config.layers; ++i) {
    config.rotated[static_cast<size_t>(i)] = (i + 1) % 4 != 0;
  }
}

}  // namespace

Result<ModelConfig> config_from_gguf(const Json& metadata) {
  Fields general(metadata);
  const std::string name = general.text("general.architecture", "");
  EDGEWRIGHT_TRY(general.status());
  const Architecture* found = nullptr;
  for (const Architecture& row : architecture_table()) {
    if (row.gguf == name) found = &row;
  }
  if (name.empty()) return bad_input("general.architecture is empty, expected a name");
  if (found == nullptr) {
    // What is said of a model begins with its architecture's name.
    const bool has_keys = std::ranges::any_of(
        metadata.items(), [&](const auto& item) { return item.key().starts_with(name + "."); });
    if (!has_keys) {
      return bad_input("general.architecture is {}, and no key begins with it; expected one of {}",
                       edgewright::quoted(name), architecture_names());
    }
    return unknown_architecture(edgewright::quoted(name), metadata, name + ".");
  }
  ModelConfig config;
  config.architecture = found->name;
  Keys keys(metadata, name);
  read_sizes(keys, metadata, config);
  EDGEWRIGHT_TRY(keys.fields().status());
  if (config.layers > 4096) {
    return bad_input("found {} layers, expected at most 4096", config.layers);
  }
  read_rope(keys, *found, config);
  read_features(keys, *found, config);
  EDGEWRIGHT_TRY(keys.fields().status());
  EDGEWRIGHT_TRY(check_config(config));
  return config;
}

Status add_gguf_rope_factors(const WeightSet& set, ModelConfig& config) {
  const auto read = [&](const std::string& name, std::vector<float>& out) -> Status {
    const auto found = set.weights.find(name);
    if (found == set.weights.end()) return {};
    if (found->second.encoding != WeightEncoding::kF32 || found->second.elements() > 1024) {
      return bad_input("expected \"{}\" as at most 1024 values of F32", name);
    }
    out.resize(static_cast<size_t>(found->second.elements()));
    std::memcpy(out.data(), found->second.bytes.data(), out.size() * sizeof(float));
    return {};
  };
  RopeConfig& rope = config.rope;
  EDGEWRIGHT_TRY(read("rope_freqs.weight", rope.short_factors));
  if (!rope.short_factors.empty()) rope.scaling = RopeScaling::kFactors;
  EDGEWRIGHT_TRY(read("rope_factors_long.weight", rope.long_factors));
  if (!rope.long_factors.empty()) {
    EDGEWRIGHT_TRY(read("rope_factors_short.weight", rope.short_factors));
    rope.scaling = RopeScaling::kLongRope;
    const float stretch =
        static_cast<float>(config.context) / static_cast<float>(std::max(2, rope.original_context));
    if (rope.attention_factor == 1.0f && stretch > 1) {
      rope.attention_factor =
          std::sqrt(1 + std::log(stretch) / std::log(static_cast<float>(rope.original_context)));
    }
  }
  if (config.architecture != "gemma3") config.windowed_rope = rope;
  return check_config(config);
}

}  // namespace edgewright
