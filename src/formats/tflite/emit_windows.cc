// Operators that slide a window, in NHWC.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "formats/tflite/emit.h"
#include "formats/tflite/weights.h"
#include "formats/tflite/window.h"
#include "graph/window_facts.h"

namespace edgewright::tflite_io {

bool WindowAxis::is_same() const {
  if (output != (input + stride - 1) / stride) return false;
  const int64_t missing = std::max<int64_t>((output - 1) * stride + extent() - input, 0);
  return begin == missing / 2;
}

std::optional<Window> window_of(const Node& node, int64_t kernel_height, int64_t kernel_width) {
  const Dims in = dims_of(node.inputs[0]), out = dims_of(node.outputs[0]);
  const auto facts = window_facts(node, in, {kernel_height, kernel_width});
  if (!facts || out.size() != in.size()) return std::nullopt;
  const auto axis_of = [&](size_t i) {
    WindowAxis axis{in[i + 2], out[i + 2], facts->kernel[i], facts->strides[i],
                    facts->dilations[i]};
    axis.begin = facts->pads_begin[i];
    // With ceil_mode the windows may reach further than the padding says, else less far.
    axis.end = (axis.output - 1) * axis.stride + axis.extent() - axis.input - axis.begin;
    return axis;
  };
  return Window{axis_of(0), axis_of(1)};
}

namespace {

bool is_image(const Value* value) {
  return value != nullptr && dims_of(value).size() == 4 && value->type.dtype == DType::kFloat32;
}

// The input of a window, padded by an operator where neither SAME nor VALID says it.
struct Padded {
  int tensor;
  schema::Padding padding;
};
Padded padded(Emitter& emitter, int tensor, const Window& window, std::optional<float> fill,
              bool may_be_same = true) {
  if (window.is_valid()) return {tensor, schema::Padding::VALID};
  if (may_be_same && window.is_same()) return {tensor, schema::Padding::SAME};
  const auto past = [](const WindowAxis& axis) { return std::max<int64_t>(axis.end, 0); };
  const std::vector<int32_t> pads = {0,
                                     0,
                                     static_cast<int32_t>(window.height.begin),
                                     static_cast<int32_t>(past(window.height)),
                                     static_cast<int32_t>(window.width.begin),
                                     static_cast<int32_t>(past(window.width)),
                                     0,
                                     0};
  const int table =
      emitter.constant(Tensor::of<int32_t>({4, 2}, std::span<const int32_t>(pads)), "padding");
  Dims dims = emitter.dims_of(tensor);
  dims[1] += pads[2] + pads[3];
  dims[2] += pads[4] + pads[5];
  const auto result = emitter.same(tensor, dims, emitter.name_of(tensor) + "/padded");
  if (!fill) {
    return {emitter.add(Operator::PAD, 2, {tensor, table}, result, schema::PadOptionsT()),
            schema::Padding::VALID};
  }
  return {emitter.add(Operator::PADV2, 1, {tensor, table, emitter.number(*fill)}, result,
                      schema::PadV2OptionsT()),
          schema::Padding::VALID};
}

bool is_depthwise(const Node& node, const Dims& weights) {
  const int64_t groups = node.attributes.get_int("group", 1);
  return groups > 1 && groups == dims_of(node.inputs[0])[1] && weights[1] == 1;
}

bool is_conv(const Node& node) {
  if (!is_image(node.input(0)) || !has_weights(node.input(1))) return false;
  const Dims weights = dims_of(node.inputs[1]);
  if (weights.size() != 4 || !window_of(node, weights[2], weights[3])) return false;
  return node.input(2) == nullptr || has_bias(node.input(2));
}

int emit_convolution(Emitter& emitter, const Node& node, std::vector<int> inputs,
                     const Window& window, schema::Padding padding, Activation activation,
                     Emitter::Result1 result, int version) {
  const auto set = [&](auto& options) {
    options.padding = padding;
    options.stride_h = static_cast<int32_t>(window.height.stride);
    options.stride_w = static_cast<int32_t>(window.width.stride);
    options.dilation_h_factor = static_cast<int32_t>(window.height.dilation);
    options.dilation_w_factor = static_cast<int32_t>(window.width.dilation);
    options.fused_activation_function = activation;
  };
  const Dims weights = dims_of(node.inputs[1]);
  if (is_depthwise(node, weights)) {
    schema::DepthwiseConv2DOptionsT options;
    set(options);
    options.depth_multiplier =
        static_cast<int32_t>(weights[0] / node.attributes.get_int("group", 1));
    return emitter.add(Operator::DEPTHWISE_CONV_2D, version, std::move(inputs), std::move(result),
                       std::move(options));
  }
  schema::Conv2DOptionsT options;
  set(options);
  return emitter.add(Operator::CONV_2D, version, std::move(inputs), std::move(result),
                     std::move(options));
}

Status emit_conv(Emitter& emitter, const Node& node) {
  const Value* x = node.inputs[0];
  const Dims dims = dims_of(node.inputs[1]);
  const Window window = *window_of(node, dims[2], dims[3]);
  const bool depthwise = is_depthwise(node, dims);
  // O I H W becomes O H W I; of a depthwise convolution 1 H W O.
  const std::vector<int64_t> order =
      depthwise ? std::vector<int64_t>{1, 2, 3, 0} : std::vector<int64_t>{0, 2, 3, 1};
  const Weights weights = weights_of(node.inputs[1]);
  const Tail tail = emitter.tail_of(node);
  const bool integers = weights.quant && tail.quant && emitter.has_integer(x);
  const int input = integers ? emitter.integer(x, Layout::kNhwc) : emitter.real(x, Layout::kNhwc);
  const Padded source = padded(emitter, input, window, std::nullopt);
  const int filter = add_weights(emitter, weights, order, depthwise ? 3 : 0);
  const int bias =
      add_bias(emitter, node.input(2), dims[0], weights,
               integers ? emitter.quant_of_tensor(input) : std::nullopt, node.outputs[0]->name);
  Emitter::Result1 result = Emitter::like(tail.value, Layout::kNhwc);
  if (integers) {
    result.type = schema::TensorType::INT8;
    result.quant = tail.quant;
  }
  // Versions: 1 float, 3 int8; depthwise 2 with dilations; 5 and 6 with float activations and int8
  // weights of one scale a channel.
  const int hybrid = depthwise ? 6 : 5;
  const int version = integers ? 3 : weights.quant ? hybrid : depthwise ? 2 : 1;
  emitter.finish(tail, Layout::kNhwc,
                 emit_convolution(emitter, node, {source.tensor, filter, bias}, window,
                                  source.padding, tail.activation, result, version));
  return {};
}

// A full transposed convolution, of which the padding is cut off.
bool is_conv_transpose(const Node& node) {
  if (!is_image(node.input(0)) || node.input(1)->constant.has_value() == false) return false;
  if (node.input(1)->type.dtype != DType::kFloat32 || node.attributes.get_int("group", 1) != 1) {
    return false;
  }
  const auto dilations = node.attributes.get_ints("dilations", {1, 1});
  if (dilations != std::vector<int64_t>{1, 1}) return false;
  if (node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET") return false;
  const Dims in = dims_of(node.inputs[0]), out = dims_of(node.outputs[0]);
  const Dims kernel = dims_of(node.inputs[1]);
  const auto strides = node.attributes.get_ints("strides", {1, 1});
  const auto pads = node.attributes.get_ints("pads", {0, 0, 0, 0});
  for (size_t i = 0; i < 2; ++i) {
    const int64_t full = (in[i + 2] - 1) * strides[i] + kernel[i + 2];
    if (pads[i] < 0 || pads[i] + out[i + 2] > full) return false;
  }
  return node.input(2) == nullptr || has_bias(node.input(2));
}

Status emit_conv_transpose(Emitter& emitter, const Node& node) {
  const Dims in = dims_of(node.inputs[0]), out = dims_of(node.outputs[0]);
  const Dims kernel = dims_of(node.inputs[1]);
  const auto strides = node.attributes.get_ints("strides", {1, 1});
  const auto pads = node.attributes.get_ints("pads", {0, 0, 0, 0});
  const Dims full = {out[0], (in[2] - 1) * strides[0] + kernel[2],
                     (in[3] - 1) * strides[1] + kernel[3], out[1]};
  schema::TransposeConvOptionsT options;
  options.padding = schema::Padding::VALID;
  options.stride_h = static_cast<int32_t>(strides[0]);
  options.stride_w = static_cast<int32_t>(strides[1]);
  const Weights weights = weights_of(node.inputs[1]);
  // I O H W becomes O H W I.
  std::vector<int> inputs = {emitter.ints(full), add_weights(emitter, weights, {1, 2, 3, 0}, 0),
                             emitter.real(node.inputs[0], Layout::kNhwc)};
  if (node.input(2) != nullptr) {
    inputs.push_back(add_bias(emitter, node.input(2), out[1], weights, {}, node.outputs[0]->name));
  }
  Emitter::Result1 result = Emitter::like(node.outputs[0], Layout::kNhwc);
  const Dims wanted = result.dims;
  result.dims = full;
  int tensor = emitter.add(Operator::TRANSPOSE_CONV, node.input(2) != nullptr ? 3 : 1,
                           std::move(inputs), result, std::move(options));
  if (full != wanted) {
    tensor = emitter.add(Operator::SLICE, 1,
                         {tensor, emitter.ints({0, pads[0], pads[1], 0}), emitter.ints(wanted)},
                         Emitter::like(node.outputs[0], Layout::kNhwc), schema::SliceOptionsT());
  }
  emitter.give(node.outputs[0], Layout::kNhwc, Form::kReal, tensor);
  return {};
}

bool is_pool(const Node& node) {
  if (!is_image(node.input(0)) || node.output(1) != nullptr) return false;
  const auto kernel = node.attributes.get_ints("kernel_shape");
  const auto dilations = node.attributes.get_ints("dilations", {1, 1});
  if (kernel.size() != 2 || dilations != std::vector<int64_t>{1, 1}) return false;
  const auto window = window_of(node, kernel[0], kernel[1]);
  if (!window) return false;
  if (node.op == "MaxPool") return true;
  // Elements of the padding count in ONNX or not; in SAME they never do.
  const bool counts = node.attributes.get_int("count_include_pad", 0) != 0;
  if (window->is_valid()) return true;
  return counts ? node.attributes.get_int("ceil_mode", 0) == 0 : window->is_same();
}

Status emit_pool(Emitter& emitter, const Node& node) {
  const Value* x = node.inputs[0];
  const bool max = node.op == "MaxPool";
  const auto kernel = node.attributes.get_ints("kernel_shape");
  const Window window = *window_of(node, kernel[0], kernel[1]);
  const bool counts = !max && node.attributes.get_int("count_include_pad", 0) != 0;
  Tail tail{node.outputs[0]};
  // The kernels have one scale for input and output: the largest of integers keeps its own, a mean
  // is rounded anew.
  const bool explicit_padding = !window.is_valid() && (counts || !window.is_same());
  const bool integers = max && emitter.has_integer(x) && !explicit_padding;
  int source = integers ? emitter.integer(x, Layout::kNhwc) : emitter.real(x, Layout::kNhwc);
  schema::Padding padding = window.is_valid() ? schema::Padding::VALID : schema::Padding::SAME;
  if (explicit_padding) {
    const auto fill = max ? std::optional(std::numeric_limits<float>::lowest()) : std::nullopt;
    // SAME of a mean leaves the padding out of it: where it counts it must be there.
    const Padded with_padding = padded(emitter, source, window, fill, !counts);
    source = with_padding.tensor;
    padding = with_padding.padding;
  }
  schema::Pool2DOptionsT options;
  options.padding = padding;
  options.stride_h = static_cast<int32_t>(window.height.stride);
  options.stride_w = static_cast<int32_t>(window.width.stride);
  options.filter_height = static_cast<int32_t>(kernel[0]);
  options.filter_width = static_cast<int32_t>(kernel[1]);
  const Emitter::Result1 shape = Emitter::like(node.outputs[0], Layout::kNhwc);
  const int tensor =
      emitter.add(max ? Operator::MAX_POOL_2D : Operator::AVERAGE_POOL_2D, integers ? 2 : 1,
                  {source}, emitter.same(source, shape.dims, shape.name), std::move(options));
  emitter.finish(tail, Layout::kNhwc, tensor);
  return {};
}

bool is_global_pool(const Node& node) { return is_image(node.input(0)); }
Status emit_global_pool(Emitter& emitter, const Node& node) {
  const Value* x = node.inputs[0];
  const bool max = node.op == "GlobalMaxPool";
  const Tail tail{node.outputs[0], Activation::NONE,
                  max ? std::nullopt : emitter.rounding_of(node.outputs[0])};
  const bool integers = tail.quant && emitter.has_integer(x);
  const int source = integers ? emitter.integer(x, Layout::kNhwc) : emitter.real(x, Layout::kNhwc);
  Emitter::Result1 result = Emitter::like(node.outputs[0], Layout::kNhwc);
  if (integers) {
    result.type = schema::TensorType::INT8;
    result.quant = tail.quant;
  }
  schema::ReducerOptionsT options;
  options.keep_dims = true;
  emitter.finish(tail, Layout::kNhwc,
                 emitter.add(max ? Operator::REDUCE_MAX : Operator::MEAN, integers ? 2 : 1,
                             {source, emitter.ints({1, 2})}, result, std::move(options)));
  return {};
}

// The coordinates of the kernels: corners aligned, pixel centres, or neither. The nearest pixel is
// the one below, which is ONNX's choice only where an input pixel becomes whole output pixels.
bool is_resize(const Node& node) {
  if (!is_image(node.input(0))) return false;
  const Attributes& attributes = node.attributes;
  const Dims in = dims_of(node.inputs[0]), out = dims_of(node.outputs[0]);
  if (in[0] != out[0] || in[1] != out[1] || attributes.get_int("antialias", 0) != 0) return false;
  const std::string mode = attributes.get_string("mode", "nearest");
  const std::string from = attributes.get_string("coordinate_transformation_mode", "half_pixel");
  if (const Tensor* scales = node.constant_input(2); scales != nullptr) {
    const auto numbers = scales->to_doubles();
    if (!numbers.ok()) return false;
    const size_t first = numbers->size() == 4 ? 2 : 0;
    for (size_t i = 0; i < 2 && !numbers->empty() && from != "align_corners"; ++i) {
      if (first + i >= numbers->size()) return false;
      const double exact = static_cast<double>(out[i + 2]) / static_cast<double>(in[i + 2]);
      if (std::abs((*numbers)[first + i] - exact) > 1e-6 * exact) return false;
    }
  }
  if (mode == "linear") {
    return from == "half_pixel" || from == "align_corners" || from == "asymmetric";
  }
  if (mode != "nearest") return false;
  const std::string nearest = attributes.get_string("nearest_mode", "round_prefer_floor");
  const bool whole = out[2] % in[2] == 0 && out[3] % in[3] == 0;
  if (from == "asymmetric") return nearest == "floor";
  return from == "half_pixel" && whole && nearest.starts_with("round");
}
Status emit_resize(Emitter& emitter, const Node& node) {
  const std::string from =
      node.attributes.get_string("coordinate_transformation_mode", "half_pixel");
  const Dims out = dims_of(node.outputs[0]);
  const std::vector<int> inputs = {emitter.real(node.inputs[0], Layout::kNhwc),
                                   emitter.ints({out[2], out[3]})};
  const auto result = Emitter::like(node.outputs[0], Layout::kNhwc);
  const auto make = [&](Operator op, auto options) {
    options.align_corners = from == "align_corners";
    options.half_pixel_centers = from == "half_pixel";
    emitter.give(node.outputs[0], Layout::kNhwc, Form::kReal,
                 emitter.add(op, 3, inputs, result, std::move(options)));
  };
  if (node.attributes.get_string("mode", "nearest") == "linear") {
    make(Operator::RESIZE_BILINEAR, schema::ResizeBilinearOptionsT());
  } else {
    make(Operator::RESIZE_NEAREST_NEIGHBOR, schema::ResizeNearestNeighborOptionsT());
  }
  return {};
}

bool is_depth_move(const Node& node) {
  return is_image(node.input(0)) && node.attributes.get_string("mode", "DCR") == "DCR";
}
Status emit_depth_move(Emitter& emitter, const Node& node) {
  const auto block = static_cast<int32_t>(node.attributes.get_int("blocksize", 1));
  const std::vector<int> inputs = {emitter.real(node.inputs[0], Layout::kNhwc)};
  const auto result = Emitter::like(node.outputs[0], Layout::kNhwc);
  const auto make = [&](Operator op, auto options) {
    options.block_size = block;
    emitter.give(node.outputs[0], Layout::kNhwc, Form::kReal,
                 emitter.add(op, 1, inputs, result, std::move(options)));
  };
  if (node.op == "DepthToSpace") {
    make(Operator::DEPTH_TO_SPACE, schema::DepthToSpaceOptionsT());
  } else {
    make(Operator::SPACE_TO_DEPTH, schema::SpaceToDepthOptionsT());
  }
  return {};
}

constexpr EmitRow kRows[] = {
    {"Conv", emit_conv, is_conv},
    {"ConvTranspose", emit_conv_transpose, is_conv_transpose},
    {"MaxPool", emit_pool, is_pool},
    {"AveragePool", emit_pool, is_pool},
    {"GlobalAveragePool", emit_global_pool, is_global_pool},
    {"GlobalMaxPool", emit_global_pool, is_global_pool},
    {"Resize", emit_resize, is_resize},
    {"DepthToSpace", emit_depth_move, is_depth_move},
    {"SpaceToDepth", emit_depth_move, is_depth_move},
};

}  // namespace

std::span<const EmitRow> window_rows() { return kRows; }

}  // namespace edgewright::tflite_io
