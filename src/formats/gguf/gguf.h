#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tensor/weight.h"

namespace edgewright {

// A GGUF file of version 2 or 3: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
struct GgufFile {
  Json metadata;  // "general.architecture", "tokenizer.ggml.tokens", ... in the file's order
  WeightSet set;
};

// Weights stay in the mapped file. Everything is checked before it is used: lengths, offsets,
// shapes. A weight of an encoding outside WeightEncoding is unsupported by name.
Result<GgufFile> read_gguf(const std::string& path);

// One weight to write. `dims` outermost first; `read_row` fills one row of values.
struct GgufTensor {
  std::string name;
  WeightEncoding encoding = WeightEncoding::kF32;  // F32, F16, BF16, Q8_0 or Q4_0
  Dims dims;
  std::function<void(int64_t row, std::span<float> values)> read_row;
};

// Integers of `metadata` are written as uint32 (int32 where negative), numbers as float32, and
// lists by the type of their first item. Version 3, alignment 32.
Status write_gguf(const std::string& path, const Json& metadata,
                  const std::vector<GgufTensor>& tensors);

}  // namespace edgewright
