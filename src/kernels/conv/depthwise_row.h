#pragma once

#include <cstddef>
#include <cstdint>

namespace edgewright {

// One row of a depthwise convolution for 16 channels.
struct DepthwiseRow {
  const float* in = nullptr;  // first kernel row that is inside the image, column 0
  ptrdiff_t row_step = 0;     // between kernel rows, in floats
  const float* w = nullptr;   // weights of that kernel row, [ky][kx][16]
  int64_t kernel_rows = 0;    // kernel rows inside the image
  int64_t kernel_columns = 0;
  int64_t in_width = 0, out_width = 0;
  int64_t stride = 1, dilation = 1, pad_left = 0;
  const float* bias = nullptr;
  const float* residual = nullptr;  // null: none
  bool residual_first = true;
  float low = 0, high = 0;
  float* out = nullptr;
};
void depthwise_row(const DepthwiseRow& row);

}  // namespace edgewright
