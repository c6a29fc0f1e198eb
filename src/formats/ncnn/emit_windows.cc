// Operators that slide a window over an image: convolutions, pooling, resizing.
#include <algorithm>
#include <array>

#include "formats/ncnn/emit.h"

namespace edgewright::ncnn_format {
namespace {

// Heights come first, as in ONNX; pads are top, left, bottom, right.
struct Window {
  std::vector<int64_t> kernel, strides, dilations, pads;
};

bool is_image(const Value* value) {
  const Dims dims = dims_of(value);
  return !value->is_constant() && dims.size() == 4 && dims[0] == 1;
}
bool takes_image(const Node& node) { return is_image(node.inputs[0]); }

Dims image_of(const Value* value) { return without(dims_of(value), 0); }

void pad_to_same(Window& window, const Dims& dims, bool upper) {
  for (size_t i = 0; i < 2; ++i) {
    const int64_t size = dims[i + 2], stride = window.strides[i];
    const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const int64_t outputs = (size + stride - 1) / stride;
    const int64_t missing = std::max<int64_t>((outputs - 1) * stride + reach - size, 0);
    window.pads[i] = upper ? missing / 2 : missing - missing / 2;
    window.pads[i + 2] = missing - window.pads[i];
  }
}

Window window_of(const Node& node, std::vector<int64_t> kernel) {
  Window window;
  window.kernel = std::move(kernel);
  window.strides = node.attributes.get_ints("strides", {1, 1});
  window.dilations = node.attributes.get_ints("dilations", {1, 1});
  window.pads = node.attributes.get_ints("pads", {0, 0, 0, 0});
  const std::string mode = node.attributes.get_string("auto_pad", "NOTSET");
  if (mode == "VALID") window.pads = {0, 0, 0, 0};
  if (mode.starts_with("SAME")) {
    pad_to_same(window, dims_of(node.inputs[0]), mode == "SAME_UPPER");
  }
  return window;
}

bool has_constant_weights(const Node& node) {
  return takes_image(node) && has_constant(node, 1) &&
         (node.input(2) == nullptr || has_constant(node, 2));
}

Parameters convolution(const Node& node, const Window& window, int64_t outputs) {
  const int64_t group = node.attributes.get_int("group", 1);
  Parameters parameters;
  parameters.integer(0, outputs);
  parameters.integer(1, window.kernel[1]).integer(11, window.kernel[0]);
  parameters.integer(2, window.dilations[1]).integer(12, window.dilations[0]);
  parameters.integer(3, window.strides[1]).integer(13, window.strides[0]);
  parameters.integer(4, window.pads[1]).integer(14, window.pads[0]);
  parameters.integer(15, window.pads[3]).integer(16, window.pads[2]);
  parameters.integer(5, node.input(2) == nullptr ? 0 : 1);
  parameters.integer(6, node.constant_input(1)->element_count());
  if (group > 1) parameters.integer(7, group);
  return parameters;
}

void finish_convolution(Emitter& emitter, const Node& node, std::string_view type,
                        const std::vector<float>& weights, const Parameters& parameters) {
  const std::string bottom = emitter.input_as(node, 0, image_of(node.inputs[0]));
  emitter.weights(weights);
  if (const Tensor* bias = node.constant_input(2)) emitter.raw_weights(floats_of(*bias));
  emitter.finish(node, type, {bottom}, parameters, image_of(node.outputs[0]));
}

Status emit_conv(Emitter& emitter, const Node& node) {
  const Tensor& weights = *node.constant_input(1);
  const Window window = window_of(node, {weights.dim(2), weights.dim(3)});
  const bool is_grouped = node.attributes.get_int("group", 1) > 1;
  finish_convolution(emitter, node, is_grouped ? "ConvolutionDepthWise" : "Convolution",
                     floats_of(weights), convolution(node, window, weights.dim(0)));
  return {};
}

// ONNX has I O/G K..., ncnn G O/G I/G K....
std::vector<float> deconvolution_weights(const Tensor& tensor, int64_t group) {
  const auto values = floats_of(tensor);
  const int64_t inputs = tensor.dim(0) / group, outputs = tensor.dim(1);
  const int64_t area = tensor.dim(2) * tensor.dim(3);
  std::vector<float> result(values.size());
  for (int64_t g = 0; g < group; ++g) {
    for (int64_t o = 0; o < outputs; ++o) {
      for (int64_t i = 0; i < inputs; ++i) {
        const auto from = values.begin() + ((g * inputs + i) * outputs + o) * area;
        std::copy_n(from, area, result.begin() + ((g * outputs + o) * inputs + i) * area);
      }
    }
  }
  return result;
}

bool is_plain_transposed(const Node& node) {
  return has_constant_weights(node) && !node.attributes.contains("output_shape") &&
         node.attributes.get_string("auto_pad", "NOTSET") == "NOTSET";
}
Status emit_conv_transpose(Emitter& emitter, const Node& node) {
  const Tensor& weights = *node.constant_input(1);
  const int64_t group = node.attributes.get_int("group", 1);
  const Window window = window_of(node, {weights.dim(2), weights.dim(3)});
  const auto more = node.attributes.get_ints("output_padding", {0, 0});
  Parameters parameters = convolution(node, window, weights.dim(1) * group);
  parameters.integer(18, more[1]).integer(19, more[0]);
  finish_convolution(emitter, node, group > 1 ? "DeconvolutionDepthWise" : "Deconvolution",
                     deconvolution_weights(weights, group), parameters);
  return {};
}

// How many windows fit without those that ceil_mode adds.
bool needs_no_ceil(const Node& node) {
  if (node.attributes.get_int("ceil_mode", 0) == 0) return true;
  const Window window = window_of(node, node.attributes.get_ints("kernel_shape"));
  const Dims from = dims_of(node.inputs[0]), to = dims_of(node.outputs[0]);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t span = from[i + 2] + window.pads[i] + window.pads[i + 2] - window.kernel[i];
    if (span / window.strides[i] + 1 != to[i + 2]) return false;
  }
  return true;
}
bool pools_densely(const Node& node) {
  const auto dilations = node.attributes.get_ints("dilations");
  return takes_image(node) && node.outputs.size() == 1 && needs_no_ceil(node) &&
         std::ranges::all_of(dilations, [](int64_t dilation) { return dilation == 1; });
}
Status emit_pool(Emitter& emitter, const Node& node) {
  const Window window = window_of(node, node.attributes.get_ints("kernel_shape"));
  Parameters parameters;
  parameters.integer(0, node.op == "AveragePool" ? 1 : 0);
  parameters.integer(1, window.kernel[1]).integer(11, window.kernel[0]);
  parameters.integer(2, window.strides[1]).integer(12, window.strides[0]);
  parameters.integer(3, window.pads[1]).integer(13, window.pads[0]);
  parameters.integer(14, window.pads[3]).integer(15, window.pads[2]);
  parameters.integer(5, 1);  // windows that do not fit are left out
  parameters.integer(6, node.attributes.get_int("count_include_pad", 0));
  emitter.finish(node, "Pooling", {emitter.input_as(node, 0, image_of(node.inputs[0]))}, parameters,
                 image_of(node.outputs[0]));
  return {};
}

Status emit_global_pool(Emitter& emitter, const Node& node) {
  const Dims image = image_of(node.inputs[0]);
  emitter.finish(node, "Pooling", {emitter.input_as(node, 0, image)},
                 Parameters().integer(0, node.op == "GlobalAveragePool" ? 1 : 0).integer(4, 1),
                 {image[0]});
  return {};
}

Status emit_lrn(Emitter& emitter, const Node& node) {
  const Attributes& attributes = node.attributes;
  const Dims image = image_of(node.inputs[0]);
  emitter.finish(node, "LRN", {emitter.input_as(node, 0, image)},
                 Parameters()
                     .integer(0, 0)
                     .integer(1, attributes.get_int("size", 1))
                     .number(2, attributes.get_float("alpha", 1e-4f))
                     .number(3, attributes.get_float("beta", 0.75f))
                     .number(4, attributes.get_float("bias", 1)),
                 image);
  return {};
}

// Whether the lengths are what the scales make of them without rounding: the layer knows the
// lengths only.
bool scales_exactly(const Node& node) {
  const Tensor* scales = node.constant_input(2);
  if (scales == nullptr) return node.input(2) == nullptr;
  if (scales->element_count() != 4) return scales->element_count() == 0;
  const Dims from = dims_of(node.inputs[0]), to = dims_of(node.outputs[0]);
  const auto factors = floats_of(*scales);
  for (size_t i = 0; i < from.size(); ++i) {
    if (static_cast<float>(from[i]) * factors[i] != static_cast<float>(to[i])) return false;
  }
  return true;
}

// Images that grow by whole numbers, where all conventions of "nearest" are one, and bilinear ones.
bool resizes_plainly(const Node& node) {
  if (!takes_image(node) || node.attributes.get_int("antialias", 0) != 0) return false;
  const Dims from = dims_of(node.inputs[0]), to = dims_of(node.outputs[0]);
  if (to.size() != 4 || to[0] != 1 || to[1] != from[1] || !scales_exactly(node)) return false;
  const std::string mode = node.attributes.get_string("mode", "nearest");
  const std::string where =
      node.attributes.get_string("coordinate_transformation_mode", "half_pixel");
  if (mode == "linear") return where == "half_pixel" || where == "align_corners";
  return mode == "nearest" && to[2] % from[2] == 0 && to[3] % from[3] == 0 &&
         (where == "asymmetric" ? node.attributes.get_string("nearest_mode", "") == "floor"
                                : where == "half_pixel");
}
Status emit_resize(Emitter& emitter, const Node& node) {
  const Dims to = image_of(node.outputs[0]);
  const bool is_linear = node.attributes.get_string("mode", "nearest") == "linear";
  const bool corners =
      node.attributes.get_string("coordinate_transformation_mode", "") == "align_corners";
  emitter.finish(node, "Interp", {emitter.input_as(node, 0, image_of(node.inputs[0]))},
                 Parameters()
                     .integer(0, is_linear ? 2 : 1)
                     .integer(3, to[1])
                     .integer(4, to[2])
                     .integer(6, corners ? 1 : 0),
                 to);
  return {};
}

Status emit_depth_to_space(Emitter& emitter, const Node& node) {
  const bool depth_first = node.attributes.get_string("mode", "DCR") == "DCR";
  emitter.finish(node, "PixelShuffle", {emitter.input_as(node, 0, image_of(node.inputs[0]))},
                 Parameters()
                     .integer(0, node.attributes.get_int("blocksize", 1))
                     .integer(1, depth_first ? 1 : 0),
                 image_of(node.outputs[0]));
  return {};
}

constexpr EmitRow kRows[] = {
    {"Conv", emit_conv, has_constant_weights},
    {"ConvTranspose", emit_conv_transpose, is_plain_transposed},
    {"MaxPool", emit_pool, pools_densely},
    {"AveragePool", emit_pool, pools_densely},
    {"GlobalAveragePool", emit_global_pool, takes_image},
    {"GlobalMaxPool", emit_global_pool, takes_image},
    {"LRN", emit_lrn, takes_image},
    {"Resize", emit_resize, resizes_plainly},
    {"DepthToSpace", emit_depth_to_space, takes_image},
};

}  // namespace

std::span<const EmitRow> window_rows() { return kRows; }

}  // namespace edgewright::ncnn_format
