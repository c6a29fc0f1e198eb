#include "llm/random_model.h"

#include <cmath>
#include <deque>

#include "llm/architecture.h"
#include "llm/sampler.h"

namespace edgewright {
namespace {

// Matrices as fp32 in memory that the set owns.
class Weights {
 public:
  explicit Weights(uint64_t seed) : seed_(seed) {}

  void matrix(const std::string& name, int rows, int columns) {
    auto& values = values_.emplace_back(static_cast<size_t>(rows) * static_cast<size_t>(columns));
    const float range = std::sqrt(3.0f / static_cast<float>(columns));
    for (float& value : values) {
      value = range * static_cast<float>(2 * uniform(seed_, next_++) - 1);
    }
    StoredWeight weight;
    weight.dims = {rows, columns};
    weight.bytes = std::as_bytes(std::span(values));
    named.matrices[name].push_back(weight);
  }
  void ones(const std::string& name, int count) {
    named.vectors[name].assign(static_cast<size_t>(count), 1.0f);
  }

  NamedWeights named;

 private:
  uint64_t seed_, next_ = 0;
  std::deque<std::vector<float>> values_;
};

}  // namespace

ModelConfig small_config(int hidden, int layers, int heads, int kv_heads, int ffn, int vocabulary) {
  ModelConfig config;
  config.architecture = "llama";
  config.hidden = hidden;
  config.layers = layers;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = hidden / heads;
  config.ffn = ffn;
  config.vocabulary = vocabulary;
  config.context = 512;
  config.tied = true;
  config.attention_scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
  config.rope.dims = config.head_dim;
  config.rope.original_context = config.context;
  config.windowed_rope = config.rope;
  config.windowed = windowed_layers(WindowPattern::kNone, layers);
  config.rotated.assign(static_cast<size_t>(layers), true);
  return config;
}

Result<PackedModel> random_model(const ModelConfig& config, std::string_view precision,
                                 uint64_t seed, ThreadPool& pool) {
  EDGEWRIGHT_ASSIGN(const Precision chosen, precision_of(precision));
  Weights weights(seed);
  const int heads = (config.heads + 2 * config.kv_heads) * config.head_dim;
  weights.matrix("embedding", config.vocabulary, config.hidden);
  if (!config.tied) weights.matrix("head", config.vocabulary, config.hidden);
  weights.ones("final_norm", config.hidden);
  for (int layer = 0; layer < config.layers; ++layer) {
    const std::string place = fmt::format("layers.{}.", layer);
    weights.matrix(place + "qkv", heads, config.hidden);
    weights.matrix(place + "output", config.hidden, config.heads * config.head_dim);
    weights.matrix(place + "gate_up", config.ffn, config.hidden);
    weights.matrix(place + "gate_up", config.ffn, config.hidden);
    weights.matrix(place + "down", config.hidden, config.ffn);
    weights.ones(place + "attention_norm", config.hidden);
    weights.ones(place + "ffn_norm", config.hidden);
  }
  return pack_model(config, weights.named, chosen, pool);
}

}  // namespace edgewright
