#pragma once

#include <cstdint>

#include "kernels/epilogue.h"
#include "kernels/kernel.h"

namespace edgewright {

// A fused two-dimensional convolution as edgewright::Conv2d states it: inputs X, W (constant, plain
// OIHW), B (constant or omitted), R (omitted, or laid out as Y); attributes strides, pads,
// dilations, group and those of parse_epilogue(). One-dimensional ones become height 1.
struct ConvShape {
  int64_t batch = 0;
  int64_t in_channels = 0, in_height = 0, in_width = 0;
  int64_t out_channels = 0, out_height = 0, out_width = 0;
  int64_t kernel_height = 1, kernel_width = 1;
  int64_t stride_y = 1, stride_x = 1;
  int64_t dilation_y = 1, dilation_x = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int64_t group = 1;
  bool has_bias = false;
  bool has_residual = false;
  Layout in_layout = Layout::kPlain;
  Layout out_layout = Layout::kPlain;
  Epilogue epilogue;

  int64_t in_blocks() const { return (in_channels + 15) / 16; }
  int64_t out_blocks() const { return (out_channels + 15) / 16; }
  int64_t padded_height() const { return in_height + pad_top + pad_bottom; }
  int64_t padded_width() const { return in_width + pad_left + pad_right; }
  bool padded() const { return (pad_top | pad_left | pad_bottom | pad_right) != 0; }
  bool is_depthwise() const { return group > 1 && group == in_channels && group == out_channels; }
};

// kUnsupported when the request is no float32 convolution of that form; the constants need not be
// there.
Result<ConvShape> parse_conv(const KernelRequest& request);
// W is constant and B is constant or omitted, as packing needs.
bool has_constant_weights(const KernelRequest& request);
// The activation leaves padding channels of a blocked output at zero.
bool keeps_padding_zero(const ConvShape& shape);

// The bias, zero-extended to whole blocks of 16; zeros where there is none.
void pack_bias(const KernelRequest& request, int64_t channels, float* out);

}  // namespace edgewright
