#include "llm/architecture.h"

namespace edgewright {
namespace {

// SmolLM and SmolLM2 are "llama" by their files; their row gives the name to what is documented.
constexpr Architecture kArchitectures[] = {
    {.name = "llama",
     .class_name = "LlamaForCausalLM",
     .model_type = "llama",
     .gguf = "llama",
     .gguf_pairs = true},
    {.name = "mistral",
     .class_name = "MistralForCausalLM",
     .model_type = "mistral",
     .gguf = "mistral",
     .window = WindowPattern::kAll},
    {.name = "qwen2",
     .class_name = "Qwen2ForCausalLM",
     .model_type = "qwen2",
     .gguf = "qwen2",
     .qkv_bias = true,
     .window = WindowPattern::kByFlag},
    {.name = "qwen3",
     .class_name = "Qwen3ForCausalLM",
     .model_type = "qwen3",
     .gguf = "qwen3",
     .qk_norm = true,
     .window = WindowPattern::kByFlag},
    {.name = "gemma",
     .class_name = "GemmaForCausalLM",
     .model_type = "gemma",
     .gguf = "gemma",
     .norm_plus_one = true,
     .scaled_embedding = true,
     .activation = GateActivation::kGeluTanh,
     .tied = true},
    {.name = "gemma2",
     .class_name = "Gemma2ForCausalLM",
     .model_type = "gemma2",
     .gguf = "gemma2",
     .post_norms = true,
     .norm_plus_one = true,
     .scaled_embedding = true,
     .activation = GateActivation::kGeluTanh,
     .window = WindowPattern::kEveryOther,
     .tied = true,
     .softcaps = true,
     .default_window = 4096},
    {.name = "gemma3",
     .class_name = "Gemma3ForCausalLM",
     .model_type = "gemma3_text",
     .gguf = "gemma3",
     .qk_norm = true,
     .post_norms = true,
     .norm_plus_one = true,
     .scaled_embedding = true,
     .activation = GateActivation::kGeluTanh,
     .window = WindowPattern::kFiveOfSix,
     .tied = true,
     .two_ropes = true,
     .default_window = 4096},
    {.name = "phi3",
     .class_name = "Phi3ForCausalLM",
     .model_type = "phi3",
     .gguf = "phi3",
     .fused = true,
     .window = WindowPattern::kAll},
    {.name = "smollm3",
     .class_name = "SmolLM3ForCausalLM",
     .model_type = "smollm3",
     .gguf = "smollm3",
     .window = WindowPattern::kByFlag,
     .tied = true},
};

}  // namespace

std::span<const Architecture> architecture_table() { return kArchitectures; }

const Architecture* find_architecture(std::string_view name) {
  for (const Architecture& row : kArchitectures) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

std::string architecture_names() {
  std::string names;
  for (const Architecture& row : kArchitectures) {
    if (!names.empty()) names += ", ";
    names += row.name;
  }
  return names;
}

std::vector<bool> windowed_layers(WindowPattern pattern, int layers) {
  std::vector<bool> result(static_cast<size_t>(layers), false);
  for (int layer = 0; layer < layers; ++layer) {
    bool windowed = false;
    if (pattern == WindowPattern::kAll) windowed = true;
    if (pattern == WindowPattern::kEveryOther) windowed = layer % 2 == 0;
    if (pattern == WindowPattern::kFiveOfSix) windowed = (layer + 1) % 6 != 0;
    result[static_cast<size_t>(layer)] = windowed;
  }
  return result;
}

}  // namespace edgewright
