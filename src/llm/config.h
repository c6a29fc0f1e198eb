#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tensor/weight.h"

namespace edgewright {

// How rotary angles are changed for contexts longer than those of the training; the names are
// those of Hugging Face's "rope_type".
enum class RopeScaling : uint8_t { kNone, kLinear, kLlama3, kYarn, kLongRope, kFactors };

// Rotary position embedding: dimension pair i of a head turns by position * theta^(-2i/dims) before
// scaling.
struct RopeConfig {
  float theta = 10000.0f;
  int dims = 0;  // of a head that turn, the first ones
  RopeScaling scaling = RopeScaling::kNone;
  float factor = 1.0f;
  float low_frequency_factor = 1.0f, high_frequency_factor = 4.0f;  // kLlama3
  float beta_fast = 32.0f, beta_slow = 1.0f;                        // kYarn
  int original_context = 0;
  // kLongRope: divisors of each pair's frequency up to and beyond original_context. kFactors: as
  // GGUF files store them, short_factors only.
  std::vector<float> short_factors, long_factors;
  float attention_factor = 1.0f;  // of sine and cosine
};

enum class GateActivation : uint8_t { kSilu, kGeluTanh };

// A decoder of the Llama shape: what differs between the supported architectures, as values.
struct ModelConfig {
  std::string architecture;  // a name of architecture_table()
  int hidden = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, ffn = 0, vocabulary = 0;
  int context = 0;  // longest sequence of the training
  float norm_epsilon = 1e-5f;
  bool norm_plus_one = false;  // norm weights are stored less one
  bool qkv_bias = false, output_bias = false;
  bool qk_norm = false;     // RMSNorm of every head's query and key before they turn
  bool post_norms = false;  // also after attention and feed-forward, before their residual
  bool tied = false;        // the output matrix is the embedding
  GateActivation activation = GateActivation::kSilu;
  float embedding_scale = 1.0f;
  float attention_scale = 0;    // of query * key
  float attention_softcap = 0;  // c * tanh(x / c); 0: none
  float logit_softcap = 0;
  int window = 0;              // keys that a windowed layer sees, the query's own included; 0: all
  std::vector<bool> windowed;  // per layer
  RopeConfig rope, windowed_rope;  // of whole and of windowed layers
  std::vector<bool> rotated;       // per layer; layers without rotary embedding are false
  bool rope_pairs = false;         // dimension 2i turns with 2i + 1, else i with i + dims/2
  int bos = -1;
  std::vector<int> eos;
};

// From Hugging Face's config.json. Unknown architectures and features are unsupported by name;
// sizes out of range are bad input.
Result<ModelConfig> config_from_hugging_face(const Json& json);
// From the metadata of a GGUF file ("llama.block_count" and so on), and what its weights say of
// rope
// ("rope_freqs.weight" and so on).
Result<ModelConfig> config_from_gguf(const Json& metadata);
Status add_gguf_rope_factors(const WeightSet& set, ModelConfig& config);
// The form that packed models carry.
Json config_to_json(const ModelConfig& config);
Result<ModelConfig> config_from_json(const Json& json);

// Sizes in range, heads a multiple of key/value heads, and so on.
Status check_config(const ModelConfig& config);

// Angular frequency of every pair for sequences up to `length` positions (kLongRope chooses by it).
std::vector<float> rope_frequencies(const RopeConfig& rope, int length);

}  // namespace edgewright
