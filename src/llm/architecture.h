#pragma once

#include <span>
#include <string_view>

#include "llm/config.h"
#include "llm/config_fields.h"

namespace edgewright {

// How a family's attention windows are spread over its layers where config.json does not list them.
enum class WindowPattern : uint8_t { kNone, kAll, kEveryOther, kFiveOfSix, kByFlag };

// One architecture: what it has of the shared blocks. Sizes come from the file.
struct Architecture {
  std::string_view name;        // "llama"; also the packed file's word for it
  std::string_view class_name;  // of Hugging Face's "architectures"
  std::string_view model_type;  // of Hugging Face's config
  std::string_view gguf;        // general.architecture
  bool qkv_bias = false;        // always; others may say "attention_bias"
  bool qk_norm = false;
  bool post_norms = false;
  bool norm_plus_one = false;
  bool scaled_embedding = false;  // by sqrt(hidden)
  bool fused = false;             // qkv_proj and gate_up_proj are single weights
  GateActivation activation = GateActivation::kSilu;
  WindowPattern window = WindowPattern::kNone;
  bool tied = false;        // unless the file says otherwise
  bool two_ropes = false;   // windowed layers turn with a frequency of their own
  bool softcaps = false;    // of scores and logits
  bool gguf_pairs = false;  // GGUF files order heads so that neighbours turn together
  int default_window = 0;   // where the file may leave it out
};

// In the order of the documentation.
std::span<const Architecture> architecture_table();
const Architecture* find_architecture(std::string_view name);
// "llama, mistral, ...".
std::string architecture_names();

// Why a well-formed model of an unknown architecture is not read: what its settings (keys after
// `prefix`) tell of blocks that are missing here, and what would be read.
Error unknown_architecture(std::string_view name, const Json& settings, std::string_view prefix);

// The layers with a window, from the pattern.
std::vector<bool> windowed_layers(WindowPattern pattern, int layers);

}  // namespace edgewright
