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

// A setting of config.json or of a GGUF file that only models with such blocks have.
struct MissingBlock {
  std::string_view key, block;
};
constexpr MissingBlock kMissingBlocks[] = {
    {"num_experts", "a mixture of experts"},
    {"num_local_experts", "a mixture of experts"},
    {"n_routed_experts", "a mixture of experts"},
    {"expert_count", "a mixture of experts"},
    {"state_size", "state-space layers"},
    {"ssm_cfg", "state-space layers"},
    {"mamba_d_state", "state-space layers"},
    {"ssm.state_size", "state-space layers"},
    {"linear_num_key_heads", "linear attention"},
    {"wkv.head_size", "linear attention"},
    {"kv_lora_rank", "latent attention"},
    {"attention.kv_lora_rank", "latent attention"},
    {"alibi", "attention biased by distance"},
    {"attention.max_alibi_bias", "attention biased by distance"},
    {"n_positions", "learned positions"},
    {"layer_norm_eps", "norms that subtract the mean"},
    {"layer_norm_epsilon", "norms that subtract the mean"},
    {"attention.layer_norm_epsilon", "norms that subtract the mean"},
    {"parallel_attn", "attention and feed-forward side by side"},
    {"use_parallel_residual", "attention and feed-forward side by side"},
    {"decoder_start_token_id", "an encoder"},
};

bool is_set(const Json& settings, const std::string& key) {
  const auto found = settings.find(key);
  return found != settings.end() && !found->is_null() && *found != false && *found != 0;
}

}  // namespace

Error unknown_architecture(std::string_view name, const Json& settings, std::string_view prefix) {
  std::string blocks;
  for (const auto& [key, block] : kMissingBlocks) {
    const bool told = blocks.find(block) != std::string::npos;
    if (told || !is_set(settings, std::string(prefix) + std::string(key))) continue;
    blocks += (blocks.empty() ? ": missing " : ", ") + std::string(block);
  }
  return unsupported("architecture {} is not supported{}; expected one of {}", name, blocks,
                     architecture_names());
}

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
