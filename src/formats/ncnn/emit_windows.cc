// Operators that slide a window over an image: convolutions, pooling, resizing.
#include <algorithm>
#include <array>

#include "formats/ncnn/emit.h"
#include "formats/ncnn/quantized.h"
#include "graph/window_facts.h"

namespace edgewright::ncnn_format {
namespace {

bool is_image(const Value* value) {
  const Dims dims = dims_of(value);
  return !value->is_constant() && dims.size() == 4 && dims[0] == 1;
}
bool takes_image(const Node& node) { return is_image(node.inputs[0]); }

Dims image_of(const Value* value) { return without(dims_of(value), 0); }

// Heights come first, as in ONNX. Asked before anything is written.
std::optional<WindowFacts> window_of(const Node& node, std::vector<int64_t> kernel) {
  return window_facts(node, dims_of(node.inputs[0]), std::move(kernel));
}

bool has_constant_weights(const Node& node) {
  if (!takes_image(node) || !is_known_constant(node.inputs[1])) return false;
  const Dims weights = dims_of(node.inputs[1]);
  return (node.input(2) == nullptr || is_known_constant(node.inputs[2])) &&
         window_of(node, {weights.begin() + 2, weights.end()}).has_value();
}

Parameters convolution(const Node& node, const WindowFacts& window, int64_t outputs) {
  const int64_t group = node.attributes.get_int("group", 1);
  Parameters parameters;
  parameters.integer(0, outputs);
  parameters.integer(1, window.kernel[1]).integer(11, window.kernel[0]);
  parameters.integer(2, window.dilations[1]).integer(12, window.dilations[0]);
  parameters.integer(3, window.strides[1]).integer(13, window.strides[0]);
  parameters.integer(4, window.pads_begin[1]).integer(14, window.pads_begin[0]);
  parameters.integer(15, window.pads_end[1]).integer(16, window.pads_end[0]);
  parameters.integer(5, node.input(2) == nullptr ? 0 : 1);
  parameters.integer(6, product(dims_of(node.inputs[1])));
  if (group > 1) parameters.integer(7, group);
  return parameters;
}

void finish_convolution(Emitter& emitter, const Node& node, std::string_view type,
                        const std::vector<float>& weights, const Parameters& parameters) {
  const std::string bottom = emitter.input_as(node, 0, image_of(node.inputs[0]));
  emitter.weights(weights);
  if (node.input(2) != nullptr) emitter.raw_weights(floats_of(known_numbers(node.inputs[2])));
  emitter.finish(node, type, {bottom}, parameters, image_of(node.outputs[0]));
}

// In int8: the weights, the bias, and how many steps are in one.
void finish_integer_convolution(Emitter& emitter, const Node& node, std::string_view type,
                                const IntegerLayer& layer, Parameters parameters) {
  const std::string bottom = emitter.input_as(node, 0, image_of(node.inputs[0]));
  emitter.byte_weights(layer.weights.elements<int8_t>());
  if (node.input(2) != nullptr) emitter.raw_weights(floats_of(known_numbers(node.inputs[2])));
  emitter.raw_weights(layer.weight_scales);
  emitter.raw_weights(std::span(&layer.input_scale, 1));
  emitter.finish(node, type, {bottom}, parameters.integer(8, 1), image_of(node.outputs[0]));
}

Status emit_conv(Emitter& emitter, const Node& node) {
  const Dims dims = dims_of(node.inputs[1]);
  const WindowFacts window = *window_of(node, {dims[2], dims[3]});
  const int64_t group = node.attributes.get_int("group", 1);
  const std::string_view type = group > 1 ? "ConvolutionDepthWise" : "Convolution";
  const Parameters parameters = convolution(node, window, dims[0]);
  const auto layer = integer_layer(node, 0);
  // A group has one scale there.
  if (layer && (group == 1 || group == dims[0])) {
    finish_integer_convolution(emitter, node, type, *layer, parameters);
    return {};
  }
  finish_convolution(emitter, node, type, floats_of(known_numbers(node.inputs[1])), parameters);
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
  const Tensor weights = known_numbers(node.inputs[1]);
  const int64_t group = node.attributes.get_int("group", 1);
  const WindowFacts window = *window_of(node, {weights.dim(2), weights.dim(3)});
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
  const WindowFacts window = *window_of(node, node.attributes.get_ints("kernel_shape"));
  const Dims from = dims_of(node.inputs[0]), to = dims_of(node.outputs[0]);
  for (size_t i = 0; i < 2; ++i) {
    const int64_t span = from[i + 2] + window.pads_begin[i] + window.pads_end[i] - window.kernel[i];
    if (span / window.strides[i] + 1 != to[i + 2]) return false;
  }
  return true;
}
bool pools_densely(const Node& node) {
  const auto dilations = node.attributes.get_ints("dilations");
  const bool is_window = window_of(node, node.attributes.get_ints("kernel_shape")).has_value();
  return takes_image(node) && is_window && node.outputs.size() == 1 && needs_no_ceil(node) &&
         std::ranges::all_of(dilations, [](int64_t dilation) { return dilation == 1; });
}
Status emit_pool(Emitter& emitter, const Node& node) {
  const WindowFacts window = *window_of(node, node.attributes.get_ints("kernel_shape"));
  Parameters parameters;
  parameters.integer(0, node.op == "AveragePool" ? 1 : 0);
  parameters.integer(1, window.kernel[1]).integer(11, window.kernel[0]);
  parameters.integer(2, window.strides[1]).integer(12, window.strides[0]);
  parameters.integer(3, window.pads_begin[1]).integer(13, window.pads_begin[0]);
  parameters.integer(14, window.pads_end[1]).integer(15, window.pads_end[0]);
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
