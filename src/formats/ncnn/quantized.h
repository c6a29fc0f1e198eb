#pragma once

#include <optional>
#include <vector>

#include "graph/dequantized.h"

namespace edgewright::ncnn_format {

// The float32 numbers of a value for which is_known_constant() holds.
Tensor known_numbers(const Value* value);

// A layer that ncnn computes in int8: it rounds its input by itself, multiplies integers and gives
// floats.
struct IntegerLayer {
  Tensor weights;                    // int8, as the node has them
  std::vector<float> weight_scales;  // steps in one, of every output channel
  float input_scale = 1;             // steps in one
};
// Of a node whose input 0 is rounded to int8 around zero with one step, and whose weights (input 1)
// are int8 around zero with a step for all or for each index of `channel_axis`; nothing otherwise.
std::optional<IntegerLayer> integer_layer(const Node& node, int64_t channel_axis);

// QuantizeLinear and DequantizeLinear around zero, with nothing but each other reading integers.
bool rounds_around_zero(const Node& node);

}  // namespace edgewright::ncnn_format
