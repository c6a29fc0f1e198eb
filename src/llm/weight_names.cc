#include "llm/weight_names.h"

#include "llm/architecture.h"

namespace edgewright {
namespace {

// One weight of a layer by its role, and its name after the layer's prefix.
struct LayerName {
  std::string_view role, hugging_face, gguf;
};

constexpr LayerName kLayerNames[] = {
    {"attention_norm", "input_layernorm.weight", "attn_norm.weight"},
    {"query", "self_attn.q_proj.weight", "attn_q.weight"},
    {"key", "self_attn.k_proj.weight", "attn_k.weight"},
    {"value", "self_attn.v_proj.weight", "attn_v.weight"},
    {"qkv", "self_attn.qkv_proj.weight", "attn_qkv.weight"},
    {"query_bias", "self_attn.q_proj.bias", "attn_q.bias"},
    {"key_bias", "self_attn.k_proj.bias", "attn_k.bias"},
    {"value_bias", "self_attn.v_proj.bias", "attn_v.bias"},
    {"query_norm", "self_attn.q_norm.weight", "attn_q_norm.weight"},
    {"key_norm", "self_attn.k_norm.weight", "attn_k_norm.weight"},
    {"output", "self_attn.o_proj.weight", "attn_output.weight"},
    {"output_bias", "self_attn.o_proj.bias", "attn_output.bias"},
    {"gate", "mlp.gate_proj.weight", "ffn_gate.weight"},
    {"up", "mlp.up_proj.weight", "ffn_up.weight"},
    {"gate_up", "mlp.gate_up_proj.weight", "ffn_up.weight"},
    {"down", "mlp.down_proj.weight", "ffn_down.weight"},
    // With norms after the blocks Hugging Face's words mean something else.
    {"ffn_norm", "post_attention_layernorm.weight", "ffn_norm.weight"},
    {"ffn_norm_between", "pre_feedforward_layernorm.weight", "ffn_norm.weight"},
    {"post_attention_norm", "post_attention_layernorm.weight", "post_attention_norm.weight"},
    {"post_ffn_norm", "post_feedforward_layernorm.weight", "post_ffw_norm.weight"},
};

class Namer {
 public:
  Namer(const ModelConfig& config, const WeightSet& set, WeightNaming naming)
      : config_(config), set_(set), naming_(naming) {
    if (naming == WeightNaming::kGguf) return;
    // Language models inside larger ones carry a longer prefix.
    for (const std::string_view prefix :
         {"model.", "language_model.model.", "model.language_model."}) {
      if (set.weights.contains(std::string(prefix) + "embed_tokens.weight")) {
        prefix_ = prefix;
        return;
      }
    }
    prefix_ = "model.";
  }

  std::string layer_name(std::string_view role, int layer) const {
    for (const LayerName& row : kLayerNames) {
      if (row.role != role) continue;
      return naming_ == WeightNaming::kGguf
                 ? fmt::format("blk.{}.{}", layer, row.gguf)
                 : fmt::format("{}layers.{}.{}", prefix_, layer, row.hugging_face);
    }
    EDGEWRIGHT_CHECK(false);
    return {};
  }
  std::string global_name(std::string_view hugging_face, std::string_view gguf) const {
    if (naming_ == WeightNaming::kGguf) return std::string(gguf);
    return prefix_ + std::string(hugging_face);
  }

  const StoredWeight* find(const std::string& name) const {
    const auto found = set_.weights.find(name);
    return found == set_.weights.end() ? nullptr : &found->second;
  }
  Result<const StoredWeight*> get(const std::string& name, int64_t rows, int64_t columns) const {
    const StoredWeight* weight = find(name);
    if (weight == nullptr) {
      return bad_input("the weight {} is missing, which architecture {} needs", name,
                       config_.architecture);
    }
    const bool fits = rows == 1 ? weight->elements() == columns && weight->rows() == 1
                                : weight->dims.size() == 2 && weight->rows() == rows &&
                                      weight->columns() == columns;
    if (!fits) {
      return bad_input("the weight {} is {}, expected {}x{}", name, dims_text(weight->dims), rows,
                       columns);
    }
    return weight;
  }

  // Appends to a matrix of that name.
  Status matrix(NamedWeights& out, const std::string& as, const std::string& name, int64_t rows,
                int64_t columns) const {
    EDGEWRIGHT_ASSIGN(const StoredWeight* weight, get(name, rows, columns));
    if (columns % encoding_shape(weight->encoding).block_elements != 0) {
      return bad_input("rows of {} values in {} do not divide into {} blocks", columns, name,
                       encoding_shape(weight->encoding).name);
    }
    out.matrices[as].push_back(*weight);
    return {};
  }
  // Appends to a vector of that name.
  Status vector(NamedWeights& out, const std::string& as, const std::string& name,
                int64_t length) const {
    EDGEWRIGHT_ASSIGN(const StoredWeight* weight, get(name, 1, length));
    if (length % encoding_shape(weight->encoding).block_elements != 0) {
      return bad_input("{} values in {} do not divide into {} blocks", length, name,
                       encoding_shape(weight->encoding).name);
    }
    std::vector<float> values(static_cast<size_t>(length));
    language::read_source_row(source_of(*weight), 0, values.data());
    const bool plus_one = config_.norm_plus_one && as.ends_with("norm");
    for (const float value : values) out.vectors[as].push_back(plus_one ? value + 1 : value);
    return {};
  }

 private:
  const ModelConfig& config_;
  const WeightSet& set_;
  WeightNaming naming_;
  std::string prefix_;
};

Status name_attention(const ModelConfig& config, const Namer& namer, const Architecture& row,
                      int layer, NamedWeights& out) {
  const std::string place = fmt::format("layers.{}.", layer);
  const int64_t hidden = config.hidden;
  const int64_t query_rows = int64_t{config.heads} * config.head_dim;
  const int64_t key_rows = int64_t{config.kv_heads} * config.head_dim;
  const auto name = [&](std::string_view role) { return namer.layer_name(role, layer); };
  if (row.fused) {
    EDGEWRIGHT_TRY(
        namer.matrix(out, place + "qkv", name("qkv"), query_rows + 2 * key_rows, hidden));
  } else {
    EDGEWRIGHT_TRY(namer.matrix(out, place + "qkv", name("query"), query_rows, hidden));
    EDGEWRIGHT_TRY(namer.matrix(out, place + "qkv", name("key"), key_rows, hidden));
    EDGEWRIGHT_TRY(namer.matrix(out, place + "qkv", name("value"), key_rows, hidden));
  }
  if (config.qkv_bias) {
    const std::string bias = place + "qkv_bias";
    EDGEWRIGHT_TRY(namer.vector(out, bias, name("query_bias"), query_rows));
    EDGEWRIGHT_TRY(namer.vector(out, bias, name("key_bias"), key_rows));
    EDGEWRIGHT_TRY(namer.vector(out, bias, name("value_bias"), key_rows));
  }
  if (config.qk_norm) {
    EDGEWRIGHT_TRY(namer.vector(out, place + "query_norm", name("query_norm"), config.head_dim));
    EDGEWRIGHT_TRY(namer.vector(out, place + "key_norm", name("key_norm"), config.head_dim));
  }
  EDGEWRIGHT_TRY(namer.matrix(out, place + "output", name("output"), hidden, query_rows));
  if (config.output_bias) {
    EDGEWRIGHT_TRY(namer.vector(out, place + "output_bias", name("output_bias"), hidden));
  }
  return namer.vector(out, place + "attention_norm", name("attention_norm"), hidden);
}

// One matrix that holds gate and up rows becomes two.
void split_in_two(std::vector<StoredWeight>& parts) {
  StoredWeight gate = parts[0];
  gate.dims[0] /= 2;
  StoredWeight up = gate;
  gate.bytes = gate.bytes.first(gate.bytes.size() / 2);
  up.bytes = up.bytes.subspan(up.bytes.size() / 2);
  parts = {gate, up};
}

Status name_feed_forward(const ModelConfig& config, const Namer& namer, const Architecture& row,
                         int layer, NamedWeights& out) {
  const std::string place = fmt::format("layers.{}.", layer);
  const auto name = [&](std::string_view role) { return namer.layer_name(role, layer); };
  if (row.fused) {
    EDGEWRIGHT_TRY(namer.matrix(out, place + "gate_up", name("gate_up"), int64_t{2} * config.ffn,
                                config.hidden));
    split_in_two(out.matrices[place + "gate_up"]);
  } else {
    EDGEWRIGHT_TRY(namer.matrix(out, place + "gate_up", name("gate"), config.ffn, config.hidden));
    EDGEWRIGHT_TRY(namer.matrix(out, place + "gate_up", name("up"), config.ffn, config.hidden));
  }
  EDGEWRIGHT_TRY(namer.matrix(out, place + "down", name("down"), config.hidden, config.ffn));
  if (!config.post_norms) {
    return namer.vector(out, place + "ffn_norm", name("ffn_norm"), config.hidden);
  }
  EDGEWRIGHT_TRY(namer.vector(out, place + "ffn_norm", name("ffn_norm_between"), config.hidden));
  EDGEWRIGHT_TRY(
      namer.vector(out, place + "post_attention_norm", name("post_attention_norm"), config.hidden));
  return namer.vector(out, place + "post_ffn_norm", name("post_ffn_norm"), config.hidden);
}

}  // namespace

Result<NamedWeights> name_weights(ModelConfig& config, const WeightSet& set, WeightNaming naming) {
  const Architecture* row = find_architecture(config.architecture);
  EDGEWRIGHT_CHECK(row != nullptr);
  const Namer namer(config, set, naming);
  NamedWeights out;
  EDGEWRIGHT_TRY(namer.matrix(out, "embedding",
                              namer.global_name("embed_tokens.weight", "token_embd.weight"),
                              config.vocabulary, config.hidden));
  const std::string head =
      naming == WeightNaming::kGguf ? std::string("output.weight") : std::string("lm_head.weight");
  if (namer.find(head) == nullptr && naming == WeightNaming::kGguf) config.tied = true;
  if (!config.tied) {
    EDGEWRIGHT_TRY(namer.matrix(out, "head", head, config.vocabulary, config.hidden));
  }
  EDGEWRIGHT_TRY(namer.vector(
      out, "final_norm", namer.global_name("norm.weight", "output_norm.weight"), config.hidden));
  for (int layer = 0; layer < config.layers; ++layer) {
    EDGEWRIGHT_TRY(name_attention(config, namer, *row, layer, out));
    EDGEWRIGHT_TRY(name_feed_forward(config, namer, *row, layer, out));
  }
  config.norm_plus_one = false;
  return out;
}

language::SourceMatrix source_of(const StoredWeight& weight) {
  // Both lists of encodings follow the same order.
  static_assert(static_cast<int>(WeightEncoding::kQ6K) ==
                static_cast<int>(language::SourceType::kQ6_K));
  return {static_cast<language::SourceType>(weight.encoding), static_cast<size_t>(weight.rows()),
          static_cast<size_t>(weight.columns()), weight.bytes.data()};
}

}  // namespace edgewright
