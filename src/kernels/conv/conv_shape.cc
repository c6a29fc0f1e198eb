#include "kernels/conv/conv_shape.h"

#include <algorithm>

namespace edgewright {
namespace {

Error not_this(const char* what) { return unsupported("convolution: {}", what); }

Status check_sizes(const ConvShape& s, const KernelRequest& request) {
  constexpr int64_t kLargest = int64_t{1} << 24;
  for (const auto& spec : {request.inputs[0], request.inputs[1], request.outputs[0]}) {
    for (const int64_t dim : spec.dims) {
      if (dim <= 0 || dim > kLargest) return not_this("a dimension is empty or very large");
    }
  }
  for (const int64_t value : {s.stride_y, s.stride_x, s.dilation_y, s.dilation_x, s.group}) {
    if (value <= 0 || value > kLargest)
      return not_this("a stride, dilation or group is not usable");
  }
  for (const int64_t pad : {s.pad_top, s.pad_left, s.pad_bottom, s.pad_right}) {
    if (pad < 0 || pad > kLargest) return not_this("a pad is negative or very large");
  }
  if (s.in_channels % s.group != 0 || s.out_channels % s.group != 0 ||
      request.inputs[1].dims[1] != s.in_channels / s.group) {
    return not_this("channels do not fit the groups");
  }
  const int64_t span_y = (s.kernel_height - 1) * s.dilation_y + 1;
  const int64_t span_x = (s.kernel_width - 1) * s.dilation_x + 1;
  if (s.padded_height() < span_y || s.padded_width() < span_x ||
      s.out_height > (s.padded_height() - span_y) / s.stride_y + 1 ||
      s.out_width > (s.padded_width() - span_x) / s.stride_x + 1) {
    return not_this("the output does not fit input, kernel and strides");
  }
  return {};
}

bool is_float_or_omitted(const KernelRequest& request, size_t i) {
  return request.inputs.size() <= i || request.inputs[i].dtype == DType::kUndefined ||
         request.inputs[i].dtype == DType::kFloat32;
}

}  // namespace

Result<ConvShape> parse_conv(const KernelRequest& request) {
  if (request.inputs.size() < 2 || request.outputs.size() != 1) return not_this("too few inputs");
  const TensorSpec& x = request.inputs[0];
  const TensorSpec& w = request.inputs[1];
  const TensorSpec& y = request.outputs[0];
  for (size_t i = 0; i < 4; ++i) {
    if (!is_float_or_omitted(request, i)) return not_this("not float32");
  }
  const size_t rank = x.dims.size();
  if (x.dtype != DType::kFloat32 || y.dtype != DType::kFloat32 || rank < 3 || rank > 4 ||
      w.dims.size() != rank || y.dims.size() != rank) {
    return not_this("not a float32 convolution over one or two axes");
  }
  const size_t axes = rank - 2;
  const auto ints = [&](const char* name, size_t count, int64_t otherwise) {
    std::vector<int64_t> values = request.attributes->get_ints(name);
    if (values.empty()) values.assign(count, otherwise);
    return values;
  };
  const auto strides = ints("strides", axes, 1);
  const auto dilations = ints("dilations", axes, 1);
  const auto pads = ints("pads", 2 * axes, 0);
  if (strides.size() != axes || dilations.size() != axes || pads.size() != 2 * axes) {
    return not_this("strides, dilations or pads have the wrong length");
  }
  ConvShape s;
  s.batch = x.dims[0];
  s.in_channels = x.dims[1];
  s.out_channels = y.dims[1];
  s.in_width = x.dims[rank - 1];
  s.out_width = y.dims[rank - 1];
  s.kernel_width = w.dims[rank - 1];
  s.stride_x = strides[axes - 1];
  s.dilation_x = dilations[axes - 1];
  s.pad_left = pads[axes - 1];
  s.pad_right = pads[2 * axes - 1];
  s.in_height = s.out_height = 1;
  if (axes == 2) {
    s.in_height = x.dims[2];
    s.out_height = y.dims[2];
    s.kernel_height = w.dims[2];
    s.stride_y = strides[0];
    s.dilation_y = dilations[0];
    s.pad_top = pads[0];
    s.pad_bottom = pads[2];
  }
  s.group = request.attributes->get_int("group", 1);
  s.has_bias = request.inputs.size() > 2 && request.inputs[2].dtype != DType::kUndefined;
  s.has_residual = request.inputs.size() > 3 && request.inputs[3].dtype != DType::kUndefined;
  s.in_layout = x.layout;
  s.out_layout = y.layout;
  if (y.dims[0] != s.batch || w.dims[0] != s.out_channels) return not_this("shapes do not agree");
  if (s.has_bias && request.inputs[2].dims != Dims{s.out_channels}) {
    return not_this("the bias does not have one value a channel");
  }
  if (s.has_residual &&
      (request.inputs[3].dims != y.dims || request.inputs[3].layout != y.layout)) {
    return not_this("the residual is not shaped as the output");
  }
  EDGEWRIGHT_ASSIGN(s.epilogue, parse_epilogue(*request.attributes));
  EDGEWRIGHT_TRY(check_sizes(s, request));
  return s;
}

bool has_constant_weights(const KernelRequest& request) {
  if (request.inputs.size() < 2 || request.inputs[1].constant == nullptr) return false;
  return request.inputs.size() < 3 || request.inputs[2].dtype == DType::kUndefined ||
         request.inputs[2].constant != nullptr;
}

bool keeps_padding_zero(const ConvShape& shape) {
  return shape.out_channels % 16 == 0 || shape.epilogue.keeps_zero();
}

void pack_bias(const KernelRequest& request, int64_t channels, float* out) {
  const int64_t padded = (channels + 15) / 16 * 16;
  std::fill(out, out + padded, 0.0f);
  if (request.inputs.size() > 2 && request.inputs[2].constant != nullptr) {
    const auto bias = request.inputs[2].constant->elements<float>();
    std::copy(bias.begin(), bias.end(), out);
  }
}

}  // namespace edgewright
