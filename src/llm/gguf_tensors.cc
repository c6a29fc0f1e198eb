#include "llm/gguf_tensors.h"

#include "llm/architecture.h"
#include "llm/tokenizer_gguf.h"

namespace edgewright {
namespace {

// general.file_type by the numbers of the format.
struct GgufPrecision {
  std::string_view name;
  WeightEncoding encoding, head;
  int file_type;
};
constexpr GgufPrecision kPrecisions[] = {
    {"stored", WeightEncoding::kF16, WeightEncoding::kF16, 1},
    {"fp16", WeightEncoding::kF16, WeightEncoding::kF16, 1},
    {"int8", WeightEncoding::kQ8_0, WeightEncoding::kQ8_0, 7},
    {"int4", WeightEncoding::kQ4_0, WeightEncoding::kQ8_0, 2},
};

// Names inside a layer: what our stacks are made of, in their order.
struct GgufName {
  std::string_view ours;
  std::vector<std::string_view> theirs;
};
const std::vector<GgufName>& matrix_names(bool fused) {
  static const std::vector<GgufName> kSplit = {
      {"qkv", {"attn_q.weight", "attn_k.weight", "attn_v.weight"}},
      {"output", {"attn_output.weight"}},
      {"gate_up", {"ffn_gate.weight", "ffn_up.weight"}},
      {"down", {"ffn_down.weight"}}};
  static const std::vector<GgufName> kFused = {{"qkv", {"attn_qkv.weight"}},
                                               {"output", {"attn_output.weight"}},
                                               {"gate_up", {"ffn_up.weight"}},
                                               {"down", {"ffn_down.weight"}}};
  return fused ? kFused : kSplit;
}
const std::vector<GgufName>& vector_names() {
  static const std::vector<GgufName> kNames = {
      {"attention_norm", {"attn_norm.weight"}},
      {"ffn_norm", {"ffn_norm.weight"}},
      {"query_norm", {"attn_q_norm.weight"}},
      {"key_norm", {"attn_k_norm.weight"}},
      {"post_attention_norm", {"post_attention_norm.weight"}},
      {"post_ffn_norm", {"post_ffw_norm.weight"}},
      {"output_bias", {"attn_output.bias"}}};
  return kNames;
}

// Rows of several stored matrices one below the other, read as values.
GgufWeight stacked(const std::string& name, std::vector<StoredWeight> parts,
                   WeightEncoding encoding) {
  GgufWeight weight;
  weight.name = name;
  weight.encoding = encoding;
  int64_t rows = 0;
  for (const StoredWeight& part : parts) rows += part.rows();
  weight.dims = {rows, parts[0].columns()};
  if (weight.dims[1] % encoding_shape(encoding).block_elements != 0) {
    weight.encoding = WeightEncoding::kF16;
  }
  weight.read_row = [parts = std::move(parts)](int64_t row, std::span<float> values) {
    size_t at = 0;
    while (row >= parts[at].rows()) row -= parts[at++].rows();
    language::read_source_row(source_of(parts[at]), static_cast<size_t>(row), values.data());
  };
  return weight;
}

// Rotary pairs lie side by side in files of this kind: row 2i of a head is our row i, row 2i + 1
// our row i + dims/2.
void interleave(GgufWeight& weight, int heads) {
  const int64_t dims = weight.dims[0] / heads;
  weight.read_row = [dims, inner = std::move(weight.read_row)](int64_t row,
                                                               std::span<float> values) {
    const int64_t within = row % dims;
    inner(row - within + within / 2 + (within % 2) * dims / 2, values);
  };
}

GgufWeight vector_weight(const std::string& name, const std::vector<float>& values) {
  GgufWeight weight;
  weight.name = name;
  weight.dims = {std::ssize(values)};
  weight.read_row = [&values](int64_t, std::span<float> out) {
    std::copy(values.begin(), values.end(), out.begin());
  };
  return weight;
}

Json metadata_of(const ModelConfig& config, const Architecture& row, int file_type) {
  const std::string prefix = std::string(row.gguf) + ".";
  Json json;
  json["general.architecture"] = row.gguf;
  json["general.file_type"] = file_type;
  json["general.quantization_version"] = 2;
  json[prefix + "context_length"] = config.context;
  json[prefix + "embedding_length"] = config.hidden;
  json[prefix + "block_count"] = config.layers;
  json[prefix + "feed_forward_length"] = config.ffn;
  json[prefix + "attention.head_count"] = config.heads;
  json[prefix + "attention.head_count_kv"] = config.kv_heads;
  json[prefix + "attention.key_length"] = config.head_dim;
  json[prefix + "attention.value_length"] = config.head_dim;
  json[prefix + "attention.layer_norm_rms_epsilon"] = config.norm_epsilon;
  json[prefix + "rope.dimension_count"] = config.rope.dims;
  json[prefix + "rope.freq_base"] = config.rope.theta;
  json[prefix + "vocab_size"] = config.vocabulary;
  if (config.rope.scaling == RopeScaling::kLinear) {
    json[prefix + "rope.scaling.type"] = "linear";
    json[prefix + "rope.scaling.factor"] = config.rope.factor;
  }
  if (config.window > 0) json[prefix + "attention.sliding_window"] = config.window;
  if (config.attention_softcap > 0) {
    json[prefix + "attn_logit_softcapping"] = config.attention_softcap;
    json[prefix + "final_logit_softcapping"] = config.logit_softcap;
  }
  return json;
}

void add_layer(const ModelConfig& config, const NamedWeights& weights, const Architecture& row,
               const GgufPrecision& precision, int layer, std::vector<GgufWeight>& out) {
  const std::string ours = fmt::format("layers.{}.", layer);
  const std::string theirs = fmt::format("blk.{}.", layer);
  for (const GgufName& name : matrix_names(row.fused)) {
    const auto& parts = weights.matrices.at(ours + std::string(name.ours));
    for (size_t i = 0; i < name.theirs.size(); ++i) {
      const std::string full = theirs + std::string(name.theirs[i]);
      const auto own = row.fused ? parts : std::vector<StoredWeight>{parts[i]};
      out.push_back(stacked(full, own, precision.encoding));
      const bool turns = name.ours == "qkv" && i < 2 && !row.fused;
      if (turns && row.gguf_pairs && !config.rope_pairs) {
        interleave(out.back(), i == 0 ? config.heads : config.kv_heads);
      }
    }
  }
  for (const GgufName& name : vector_names()) {
    const auto found = weights.vectors.find(ours + std::string(name.ours));
    if (found != weights.vectors.end()) {
      out.push_back(vector_weight(theirs + std::string(name.theirs[0]), found->second));
    }
  }
}

// Query, key and value biases are one vector of ours.
void add_biases(const ModelConfig& config, const NamedWeights& weights, int layer,
                std::vector<GgufWeight>& out) {
  const auto found = weights.vectors.find(fmt::format("layers.{}.qkv_bias", layer));
  if (found == weights.vectors.end()) return;
  size_t begin = 0;
  for (const auto& [name, heads] : {std::pair{"q", config.heads}, std::pair{"k", config.kv_heads},
                                    std::pair{"v", config.kv_heads}}) {
    const auto length = static_cast<size_t>(heads) * static_cast<size_t>(config.head_dim);
    GgufWeight weight;
    weight.name = fmt::format("blk.{}.attn_{}.bias", layer, name);
    weight.dims = {static_cast<int64_t>(length)};
    weight.read_row = [values = std::span(found->second).subspan(begin, length)](
                          int64_t, std::span<float> row) {
      std::copy(values.begin(), values.end(), row.begin());
    };
    out.push_back(std::move(weight));
    begin += length;
  }
}

}  // namespace

Result<GgufContents> gguf_contents(const ModelConfig& config, const NamedWeights& weights,
                                   const TokenizerSource& tokenizer, std::string_view precision) {
  const GgufPrecision* chosen = nullptr;
  for (const GgufPrecision& row : kPrecisions) {
    if (row.name == precision) chosen = &row;
  }
  if (chosen == nullptr) {
    return usage_error("found precision '{}', expected fp16, int8 or int4 for GGUF", precision);
  }
  const Architecture* row = find_architecture(config.architecture);
  EDGEWRIGHT_CHECK(row != nullptr);
  const bool plain =
      config.rope.scaling == RopeScaling::kNone || config.rope.scaling == RopeScaling::kLinear;
  if (!plain || (row->gguf_pairs && config.qkv_bias)) {
    return unsupported("this model's {} cannot be written as GGUF",
                       plain ? "biases" : "rope scaling");
  }
  GgufContents contents;
  contents.metadata = metadata_of(config, *row, chosen->file_type);
  EDGEWRIGHT_ASSIGN(const Json described, tokenizer_to_gguf(tokenizer, config));
  for (const auto& [key, value] : described.items()) contents.metadata[key] = value;
  auto& out = contents.weights;
  out.push_back(stacked("token_embd.weight", weights.matrices.at("embedding"), chosen->head));
  if (!config.tied) {
    out.push_back(stacked("output.weight", weights.matrices.at("head"), chosen->head));
  }
  out.push_back(vector_weight("output_norm.weight", weights.vectors.at("final_norm")));
  for (int layer = 0; layer < config.layers; ++layer) {
    add_layer(config, weights, *row, *chosen, layer, out);
    add_biases(config, weights, layer, out);
  }
  return contents;
}

}  // namespace edgewright
