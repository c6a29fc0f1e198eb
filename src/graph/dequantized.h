#pragma once

#include "graph/graph.h"

namespace edgewright {

// Whether the node is DequantizeLinear of constants only, with one scale or one for each index of
// an axis (no blocks).
bool is_dequantized_constant(const Node& node);

// The float32 numbers that such a node stands for: (integer - zero point) * scale.
Result<Tensor> dequantized(const Node& node);

}  // namespace edgewright
