#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernels/language/packed_matrix.h"
#include "llm/config.h"
#include "tensor/weight.h"

namespace edgewright {

enum class WeightNaming : uint8_t { kHuggingFace, kGguf };

// The weights of a decoder under the names of the packed form, still as they are stored. Matrices:
// "embedding", "head" (absent when tied), "layers.N.{qkv,output,gate_up,down}". Vectors:
// "final_norm", "layers.N.{attention_norm,ffn_norm,query_norm,key_norm,post_attention_norm,
// post_ffn_norm,qkv_bias,output_bias}".
struct NamedWeights {
  // What lies one below the other in the matrix: query, key, value; gate, up.
  std::map<std::string, std::vector<StoredWeight>> matrices;
  std::map<std::string, std::vector<float>> vectors;
};

// Finds and checks every weight that the configuration asks for. A missing or misshapen one is bad
// input that names it. Sets config.tied where a GGUF file holds no output matrix, and adds the one
// of config.norm_plus_one to the norms.
Result<NamedWeights> name_weights(ModelConfig& config, const WeightSet& set, WeightNaming naming);

// A stored weight as the kernels take it.
language::SourceMatrix source_of(const StoredWeight& weight);

}  // namespace edgewright
