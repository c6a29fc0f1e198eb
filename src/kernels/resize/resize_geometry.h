#pragma once

#include "kernels/reference/operand.h"

namespace edgewright::reference {

// How one axis of Resize is sampled; formulas as in the ONNX specification of Resize.
struct ResizeAxis {
  int64_t input = 0;
  int64_t output = 0;
  double scale = 1;
  double exact_output = 0;  // input * scale before it is made whole
  double roi_start = 0;
  double roi_end = 1;
  bool resized = false;
};

struct ResizeOptions {
  std::string mode;
  std::string coordinates;
  std::string nearest;
  double cubic_a = -0.75;
  double extrapolation = 0;
  bool exclude_outside = false;
  bool antialias = false;
  bool crops() const { return coordinates == "tf_crop_and_resize"; }
};

// Input positions that make output element i of an axis: positions first[i] + k with weight
// weights[begin[i] + k] for k < begin[i + 1] - begin[i]; positions are not yet held inside.
struct ResizeTaps {
  std::vector<int64_t> first;
  std::vector<int64_t> begin;
  std::vector<double> weights;
  std::vector<bool> outside;  // crops only: the extrapolation value takes its place
};

Result<ResizeOptions> resize_options(const OpCall& call);
// Sizes and scales of every axis of the input of shape `dims`, from roi (input 1), scales (2) and
// sizes (3).
Result<std::vector<ResizeAxis>> resize_axes(OpCall& call, const Dims& dims,
                                            const ResizeOptions& options);
Result<ResizeTaps> resize_taps(const OpCall& call, const ResizeAxis& axis,
                               const ResizeOptions& options);

}  // namespace edgewright::reference
