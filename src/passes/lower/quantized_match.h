#pragma once

#include <optional>
#include <vector>

#include "passes/lower/lower.h"

// What the passes that make integer operators share: reading QuantizeLinear and DequantizeLinear.
namespace edgewright {

// One scale and zero point for a whole tensor of 8 bits.
struct QuantizedScale {
  double scale = 1;
  int64_t zero = 0;
  DType dtype = DType::kUint8;
  bool operator==(const QuantizedScale&) const = default;
};
// A value that DequantizeLinear makes from bytes.
struct DequantizedValue {
  Value* bytes = nullptr;
  QuantizedScale scale;
};
// Empty where the value is made otherwise, or with several scales.
std::optional<DequantizedValue> dequantized_value(const Value* value);
// The scale of a QuantizeLinear to bytes; empty for any other node.
std::optional<QuantizedScale> quantizes(const Node& node);

// Constant int8 weights under DequantizeLinear: zero points are 0 after moving.
struct QuantizedWeights {
  Tensor values;               // int8
  std::vector<double> scales;  // one, or one per index of `axis`
  size_t axis = 0;
};
// Weights of uint8 count as int8 where their zero point is 128. `axis` is the only one along which
// scales may differ.
std::optional<QuantizedWeights> quantized_weights(const Value* value, size_t axis);
// A constant vector, or DequantizeLinear of one; nothing where it is neither.
std::optional<std::vector<double>> constant_vector(const Value* value, size_t count);

// An integer product as it grows: what follows the sums.
struct QuantizedEnd {
  Value* last = nullptr;      // the float value that the product stands for so far
  std::vector<double> scale;  // per column
  std::vector<double> shift;
  std::optional<QuantizedScale> product;  // rounded to this before the residual
  Value* residual = nullptr;
  std::optional<QuantizedScale> residual_scale;  // of bytes; else float
  EpilogueMatch epilogue;
  std::vector<Node*> quantizers;  // QuantizeLinear nodes of the result, all alike
  std::optional<QuantizedScale> y;
  bool also_float = false;
};
// Takes in what happens per channel, sums, activations and the final quantisation.
// `axis_from_back`: where the columns are.
void match_quantized_end(QuantizedEnd& end, size_t axis_from_back);
// Puts the product in the place of all that was matched.
Status replace_by_product(const QuantizedEnd& end, std::string_view op,
                          std::vector<Value*> operands, Attributes attributes);

}  // namespace edgewright
