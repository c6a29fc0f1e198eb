#pragma once

#include <optional>

#include "graph/graph.h"

namespace edgewright {

// Multiply-adds of one node: convolutions and matrix products, which are where nearly all
// arithmetic of a network is; 0 for every other operator. Absent when a shape that counts is
// unknown. Convolution: output elements x input channels per group x kernel elements; matrix
// product: M x K x N x batch.
std::optional<int64_t> multiply_adds(const Node& node);

}  // namespace edgewright
