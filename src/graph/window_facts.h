#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace edgewright {

// The window of a convolution or pooling, one entry for every spatial axis; auto_pad as numbers.
struct WindowFacts {
  std::vector<int64_t> kernel, strides, dilations;
  std::vector<int64_t> pads_begin, pads_end;
};

// Of a node whose input 0 has the shape `input`, [batch, channels, axis...]. Nothing when the
// attributes do not fit it: other lengths, steps below 1, an auto_pad that ONNX does not have.
std::optional<WindowFacts> window_facts(const Node& node, const Dims& input,
                                        std::vector<int64_t> kernel);

}  // namespace edgewright
