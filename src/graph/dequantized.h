#pragma once

#include "graph/graph.h"

namespace edgewright {

// Whether the node is DequantizeLinear of constants only, with one scale or one for each index of
// an axis (no blocks).
bool is_dequantized_constant(const Node& node);

// Whether the numbers of a value are known in advance: a constant, or made by such a node.
bool is_known_constant(const Value* value);

// The float32 numbers that such a node stands for: (integer - zero point) * scale.
Result<Tensor> dequantized(const Node& node);

}  // namespace edgewright
