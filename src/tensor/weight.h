#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "tensor/tensor.h"

namespace edgewright {

// How the elements of a stored weight are written. Blocks run along the last dimension. The
// quantised ones are those of GGUF files (ggml's specification of its block layouts).
enum class WeightEncoding : uint8_t {
  kF32,
  kF16,
  kBf16,
  kQ8_0,  // NOLINT(readability-identifier-naming): the names of the format
  kQ4_0,  // NOLINT(readability-identifier-naming): the names of the format
  kQ4_1,  // NOLINT(readability-identifier-naming): the names of the format
  kQ5_0,  // NOLINT(readability-identifier-naming): the names of the format
  kQ5_1,  // NOLINT(readability-identifier-naming): the names of the format
  kQ4K,
  kQ5K,
  kQ6K,
};
inline constexpr int kWeightEncodingCount = 11;

struct EncodingShape {
  std::string_view name;  // "Q4_K"
  int block_elements;
  int block_bytes;
};
const EncodingShape& encoding_shape(WeightEncoding encoding);
// Bytes of `elements` values, a multiple of the block.
int64_t encoded_bytes(WeightEncoding encoding, int64_t elements);

// Rounds to nearest; to F32, F16, BF16, Q8_0 and Q4_0 only (others: EDGEWRIGHT_CHECK).
// bytes.size() == encoded_bytes(encoding, values.size()). Q8_0: scale = max |x| / 127. Q4_0: scale
// = (value of largest magnitude) / -8.
void encode_weights(WeightEncoding encoding, std::span<const float> values,
                    std::span<std::byte> bytes);

// A weight as it lies in a file, checked to be as long as its shape says.
struct StoredWeight {
  WeightEncoding encoding = WeightEncoding::kF32;
  Dims dims;  // outermost first
  std::span<const std::byte> bytes;

  int64_t elements() const;
  // Rows of a matrix (1 for a vector) and their length.
  int64_t rows() const { return dims.size() < 2 ? 1 : dims[0]; }
  int64_t columns() const { return dims.empty() ? 1 : elements() / std::max<int64_t>(1, rows()); }
};

// The weights of a model by name, and the mapped files that hold them.
struct WeightSet {
  std::vector<std::shared_ptr<const MappedFile>> files;
  std::map<std::string, StoredWeight> weights;
};

}  // namespace edgewright
