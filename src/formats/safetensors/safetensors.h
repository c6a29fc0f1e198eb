#pragma once

#include <string>

#include "base/result.h"
#include "tensor/weight.h"

namespace edgewright {

// Reads the weights of a Hugging Face folder: `model.safetensors`, or the shards that
// `model.safetensors.index.json` names. Weights stay in the mapped files. Tensors of other types
// than F32, F16 and BF16 (masks, position ids) are left out.
// Format: https://github.com/huggingface/safetensors, "Format".
Result<WeightSet> read_safetensors_folder(const std::string& folder);

// Adds the weights of one file to a set; a name that is there already is bad input.
Status read_safetensors(const std::string& path, WeightSet& set);

}  // namespace edgewright
