#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "kernels/language/packed_matrix.h"
#include "llm/config.h"

namespace edgewright {

// The types of a model's matrices: "stored" keeps the source's, the others round.
struct Precision {
  std::string_view name;
  std::optional<language::WeightType> type;
  std::optional<language::WeightType> head;  // of the output matrix, which the result feels most
  // Whether more matrices take the type of the head, those whose rounding is felt most for their
  // size first: while the whole takes no more bits than a GGUF file of Q4_0.
  bool fills = false;
};
std::span<const Precision> precision_table();
Result<Precision> precision_of(std::string_view name);

// Bits of the matrices in a GGUF file of Q4_0 as llama.cpp makes it of the model: 4.5 a weight, but
// for the output matrix: 210 bytes per 256 weights (Q6_K), or 34 per 32 (Q8_0) where its rows are
// no multiple of 256.
int64_t q4_0_bits(const ModelConfig& config);

// Which type each matrix of a model gets.
class WeightTypes {
 public:
  WeightTypes(const ModelConfig& config, const Precision& precision);

  // Of the part (of several that lie one below the other: query, key, value; gate, up) of a matrix;
  // none: the source's own.
  std::optional<language::WeightType> of(std::string_view name, size_t part, size_t parts) const;

 private:
  enum Kind : uint8_t { kEmbedding, kValue, kOutput, kDown, kKinds };
  Precision precision_;
  bool tied_;
  bool wide_[kKinds] = {};
};

}  // namespace edgewright
