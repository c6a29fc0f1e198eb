// Operators that slide a window: convolutions, pooling, resizing.
#include <algorithm>
#include <cmath>

#include "formats/coreml/emit.h"
#include "graph/dequantized.h"
#include "graph/window_facts.h"

namespace edgewright::coreml {
namespace {

// Pads before and after of each axis in turn, as MIL wants them.
std::vector<int64_t> pads_in_turn(const WindowFacts& window) {
  std::vector<int64_t> pads;
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    pads.insert(pads.end(), {window.pads_begin[i], window.pads_end[i]});
  }
  return pads;
}

// What the rows below ask before they write.
std::optional<WindowFacts> window_of(const Node& node, std::vector<int64_t> kernel) {
  return window_facts(node, dims_of(node.inputs[0]), std::move(kernel));
}

bool has_window_rank(const Node& node) {
  const size_t rank = dims_of(node.inputs[0]).size();
  return is_float(node) && rank >= 3 && rank <= 5;
}
bool has_constant_weights(const Node& node) {
  if (!has_window_rank(node) || !is_known_constant(node.inputs[1])) return false;
  const Dims weights = dims_of(node.inputs[1]);
  return (node.input(2) == nullptr || is_known_constant(node.inputs[2])) &&
         window_of(node, {weights.begin() + 2, weights.end()}).has_value();
}

Arguments convolution(Emitter& emitter, const Node& node) {
  const Dims weights = dims_of(node.inputs[1]);
  const WindowFacts window = *window_of(node, {weights.begin() + 2, weights.end()});
  Arguments arguments = {{"dilations", {emitter.ints(window.dilations)}},
                         {"groups", {emitter.integer(node.attributes.get_int("group", 1))}},
                         {"pad", {emitter.ints(pads_in_turn(window))}},
                         {"pad_type", {emitter.text("custom")}},
                         {"strides", {emitter.ints(window.strides)}},
                         {"weight", {emitter.input(node, 1)}},
                         {"x", {emitter.input(node, 0)}}};
  if (node.input(2) != nullptr) arguments.push_back({"bias", {emitter.input(node, 2)}});
  return arguments;
}
Status emit_conv(Emitter& emitter, const Node& node) {
  emitter.finish(node, "conv", convolution(emitter, node));
  return {};
}
bool is_plain_transposed(const Node& node) {
  const std::string mode = node.attributes.get_string("auto_pad", "NOTSET");
  return has_constant_weights(node) && mode == "NOTSET" && dims_of(node.inputs[0]).size() <= 4;
}
Status emit_conv_transpose(Emitter& emitter, const Node& node) {
  Arguments arguments = convolution(emitter, node);
  arguments.push_back({"output_shape", {emitter.ints(dims_of(node.outputs[0]))}});
  emitter.finish(node, "conv_transpose", arguments);
  return {};
}

// With ceil_mode the last window may begin in the padding, where ONNX and Core ML part.
bool pools_floor(const Node& node) {
  const auto dilations = node.attributes.get_ints("dilations");
  const bool is_window = window_of(node, node.attributes.get_ints("kernel_shape")).has_value();
  return has_window_rank(node) && is_window && node.outputs.size() == 1 &&
         node.attributes.get_int("ceil_mode", 0) == 0 &&
         std::ranges::all_of(dilations, [](int64_t dilation) { return dilation == 1; });
}
Status emit_pool(Emitter& emitter, const Node& node) {
  const WindowFacts window = *window_of(node, node.attributes.get_ints("kernel_shape"));
  Arguments arguments = {{"ceil_mode", {emitter.flag(false)}},
                         {"kernel_sizes", {emitter.ints(window.kernel)}},
                         {"pad", {emitter.ints(pads_in_turn(window))}},
                         {"pad_type", {emitter.text("custom")}},
                         {"strides", {emitter.ints(window.strides)}},
                         {"x", {emitter.input(node, 0)}}};
  const bool is_average = node.op == "AveragePool";
  if (is_average) {
    const bool excludes = node.attributes.get_int("count_include_pad", 0) == 0;
    arguments.push_back({"exclude_padding_from_average", {emitter.flag(excludes)}});
  }
  emitter.finish(node, is_average ? "avg_pool" : "max_pool", arguments);
  return {};
}

Status emit_lrn(Emitter& emitter, const Node& node) {
  const Attributes& attributes = node.attributes;
  const DType dtype = node.inputs[0]->type.dtype;
  emitter.finish(node, "local_response_norm",
                 {{"alpha", {emitter.number(attributes.get_float("alpha", 1e-4f), dtype)}},
                  {"beta", {emitter.number(attributes.get_float("beta", 0.75f), dtype)}},
                  {"k", {emitter.number(attributes.get_float("bias", 1), dtype)}},
                  {"size", {emitter.integer(attributes.get_int("size", 1))}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

// How many times larger an image becomes, or zero where that is no whole number.
int64_t growth(const Node& node, size_t axis) {
  const int64_t from = dims_of(node.inputs[0])[axis], to = dims_of(node.outputs[0])[axis];
  return from > 0 && to % from == 0 ? to / from : 0;
}
// Whether the lengths are what the scales make of them without rounding.
bool scales_exactly(const Node& node) {
  const Tensor* scales = node.constant_input(2);
  if (scales == nullptr) return node.input(2) == nullptr;
  if (scales->element_count() != 4) return scales->element_count() == 0;
  const Dims from = dims_of(node.inputs[0]), to = dims_of(node.outputs[0]);
  const auto factors = *scales->to_doubles();
  for (size_t i = 0; i < from.size(); ++i) {
    if (static_cast<double>(from[i]) * factors[i] != static_cast<double>(to[i])) return false;
  }
  return true;
}
bool grows_by_whole_numbers(const Node& node) {
  const Dims from = dims_of(node.inputs[0]), to = dims_of(node.outputs[0]);
  if (!is_float(node) || from.size() != 4 || from[0] != to[0] || from[1] != to[1]) return false;
  if (!is_settled(node, 3)) return false;
  if (growth(node, 2) == 0 || growth(node, 3) == 0 || !scales_exactly(node)) return false;
  if (node.attributes.get_int("antialias", 0) != 0) return false;
  const std::string mode = node.attributes.get_string("mode", "nearest");
  const std::string where =
      node.attributes.get_string("coordinate_transformation_mode", "half_pixel");
  const std::string rounding = node.attributes.get_string("nearest_mode", "round_prefer_floor");
  if (mode == "linear") return where == "half_pixel" || where == "align_corners";
  return mode == "nearest" && ((where == "asymmetric" && rounding == "floor") ||
                               (where == "half_pixel" && rounding.starts_with("round")));
}
Status emit_resize(Emitter& emitter, const Node& node) {
  const auto factor = [&](size_t axis) {
    return emitter.number(static_cast<double>(growth(node, axis)), DType::kFloat32);
  };
  Arguments arguments = {{"scale_factor_height", {factor(2)}},
                         {"scale_factor_width", {factor(3)}},
                         {"x", {emitter.input(node, 0)}}};
  const bool is_linear = node.attributes.get_string("mode", "nearest") == "linear";
  if (is_linear) {
    const bool corners =
        node.attributes.get_string("coordinate_transformation_mode", "") == "align_corners";
    arguments.push_back({"align_corners", {emitter.flag(corners)}});
  }
  emitter.finish(node, is_linear ? "upsample_bilinear" : "upsample_nearest_neighbor", arguments);
  return {};
}

Status emit_depth_to_space(Emitter& emitter, const Node& node) {
  const std::string size = emitter.integer(node.attributes.get_int("blocksize", 1));
  const bool is_shuffle = node.attributes.get_string("mode", "DCR") == "CRD";
  if (node.op == "DepthToSpace" && is_shuffle) {
    emitter.finish(node, "pixel_shuffle",
                   {{"upscale_factor", {size}}, {"x", {emitter.input(node, 0)}}});
    return {};
  }
  emitter.finish(node, node.op == "DepthToSpace" ? "depth_to_space" : "space_to_depth",
                 {{"block_size", {size}}, {"x", {emitter.input(node, 0)}}});
  return {};
}

constexpr EmitRow kRows[] = {
    {"Conv", emit_conv, has_constant_weights},
    {"ConvTranspose", emit_conv_transpose, is_plain_transposed},
    {"MaxPool", emit_pool, pools_floor},
    {"AveragePool", emit_pool, pools_floor},
    {"LRN", emit_lrn, has_window_rank},
    {"Resize", emit_resize, grows_by_whole_numbers},
    {"DepthToSpace", emit_depth_to_space, is_float},
    {"SpaceToDepth", emit_depth_to_space, is_float},
};

}  // namespace

std::span<const EmitRow> window_rows() { return kRows; }

}  // namespace edgewright::coreml
