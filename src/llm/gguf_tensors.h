#pragma once

#include <functional>
#include <string>
#include <vector>

#include "llm/packed_model.h"

namespace edgewright {

// One weight as a GGUF file is to hold it.
struct GgufWeight {
  std::string name;
  WeightEncoding encoding = WeightEncoding::kF32;
  Dims dims;
  std::function<void(int64_t row, std::span<float> values)> read_row;
};
struct GgufContents {
  Json metadata;
  std::vector<GgufWeight> weights;
};

// A model as the contents of a GGUF file: "fp16" (and "stored"), "int8" (Q8_0) or "int4" (Q4_0, the
// output matrix Q8_0); vectors as F32. `weights` outlive the result. Architectures whose files
// carry what cannot be written yet (rope factors as weights) are unsupported.
Result<GgufContents> gguf_contents(const ModelConfig& config, const NamedWeights& weights,
                                   const TokenizerSource& tokenizer, std::string_view precision);

}  // namespace edgewright
