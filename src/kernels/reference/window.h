#pragma once

#include "kernels/kernel.h"

namespace edgewright::reference {

// How a window slides over the spatial axes of a convolution or pooling operator: output position o
// and tap k meet input position o * stride - pad_begin + k * dilation.
struct Window {
  Dims kernel;
  Dims stride;
  Dims dilation;
  Dims pad_begin;
  Dims pad_end;
  Dims input;   // spatial dimensions
  Dims output;  // spatial dimensions

  size_t rank() const { return kernel.size(); }
  // Input position of tap k at output position o along an axis; may lie outside.
  int64_t at(size_t axis, int64_t o, int64_t k) const {
    return o * stride[axis] - pad_begin[axis] + k * dilation[axis];
  }
};

// Reads strides, pads, dilations, auto_pad and ceil_mode as the ONNX specification of Conv, MaxPool
// and AveragePool has them, and computes the output. `input` are the spatial dimensions. Wrong
// lengths, values below 1 (pads below 0), values above 2^30 or a window that does not fit:
// kBadInput.
Result<Window> sliding_window(const OpCall& call, Dims input, Dims kernel);

// Strides, dilations and pads alone, checked; `output` stays empty and auto_pad is not applied.
Result<Window> read_window(const OpCall& call, Dims input, Dims kernel);

// The positions o in [first, last) for which o * stride + offset lies in [0, size).
struct Range {
  int64_t first = 0;
  int64_t last = 0;
};
Range positions_inside(int64_t count, int64_t stride, int64_t offset, int64_t size);

}  // namespace edgewright::reference
