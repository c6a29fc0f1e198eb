#pragma once

#include <optional>

#include "graph/graph.h"

namespace edgewright::tflite_io {

// One axis of a sliding window, with the padding that the sizes of input and output imply.
struct WindowAxis {
  int64_t input = 1, output = 1, kernel = 1, stride = 1, dilation = 1;
  int64_t begin = 0, end = 0;  // end: as far as a window reaches, negative where it stops short

  int64_t extent() const { return (kernel - 1) * dilation + 1; }
  bool is_valid() const { return begin == 0 && end <= 0; }
  // Whether padding SAME of TFLite is this padding: output = ceil(input / stride), what is missing
  // split in halves, the larger one at the end.
  bool is_same() const;
};

// Height and width of a node with an input and output of rank 4.
struct Window {
  WindowAxis height, width;
  bool is_valid() const { return height.is_valid() && width.is_valid(); }
  bool is_same() const { return height.is_same() && width.is_same(); }
};
// Nothing where the attributes do not fit it.
std::optional<Window> window_of(const Node& node, int64_t kernel_height, int64_t kernel_width);

}  // namespace edgewright::tflite_io
