// Operators that slide a window: convolutions, pooling, resizing.
#include <algorithm>

#include "formats/openvino/emit.h"

namespace edgewright::openvino_ir {
namespace {

// The window of a node over `rank` spatial axes.
struct Window {
  std::vector<int64_t> strides, dilations, begin, end;
  std::string auto_pad;
};

Window window_of(const Node& node, size_t rank) {
  Window window;
  window.strides = node.attributes.get_ints("strides", std::vector<int64_t>(rank, 1));
  window.dilations = node.attributes.get_ints("dilations", std::vector<int64_t>(rank, 1));
  const auto pads = node.attributes.get_ints("pads", std::vector<int64_t>(2 * rank, 0));
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(pads.size() / 2);
  window.begin.assign(pads.begin(), middle);
  window.end.assign(middle, pads.end());
  const std::string mode = node.attributes.get_string("auto_pad", "NOTSET");
  window.auto_pad = mode == "SAME_UPPER"   ? "same_upper"
                    : mode == "SAME_LOWER" ? "same_lower"
                    : mode == "VALID"      ? "valid"
                                           : "explicit";
  return window;
}

LayerData window_data(const Window& window) {
  return {{"strides", list(window.strides)},
          {"dilations", list(window.dilations)},
          {"pads_begin", list(window.begin)},
          {"pads_end", list(window.end)},
          {"auto_pad", window.auto_pad}};
}

bool has_known_weights(const Node& node) {
  return has_rank(node.input(0)) && rank_of(node.input(0)) >= 3 && has_rank(node.input(1)) &&
         known_dims(*node.input(1)->type.shape).has_value();
}

// Weights O I K... as G O/G I K... (or, transposed, I O/G K... as G I/G O/G K...).
Endpoint grouped(Emitter& emitter, const Node& node, int64_t groups) {
  Dims dims = *known_dims(*node.input(1)->type.shape);
  dims[0] /= groups;
  dims.insert(dims.begin(), groups);
  if (const Tensor* constant = node.constant_input(1)) {
    return emitter.constant(constant->reshaped(dims), node.inputs[1]->name);
  }
  return emitter.reshape(node, emitter.input(node, 1), dims);
}

// Adds input 2, one number per channel of axis 1, and gives the node's output.
void finish_with_bias(Emitter& emitter, const Node& node, std::string_view type, int64_t groups,
                      LayerData data) {
  const Endpoint weights = groups == 1 ? emitter.input(node, 1) : grouped(emitter, node, groups);
  const Endpoint product = emitter.add(node, type, "opset1", {emitter.input(node, 0), weights},
                                       std::move(data), node.outputs[0]->type);
  if (node.input(2) == nullptr) {
    emitter.give(node, 0, product);
    return;
  }
  std::vector<int64_t> dims(rank_of(node.input(0)), 1);
  dims[1] = -1;
  Endpoint bias;
  if (const Tensor* constant = node.constant_input(2)) {
    dims[1] = constant->element_count();
    bias = emitter.constant(constant->reshaped(dims), node.inputs[2]->name);
  } else {
    bias = emitter.reshape(node, emitter.input(node, 2), dims);
  }
  emitter.finish(node, "Add", "opset1", {product, bias}, {{"auto_broadcast", "numpy"}});
}

Status emit_conv(Emitter& emitter, const Node& node) {
  const int64_t groups = node.attributes.get_int("group", 1);
  const Window window = window_of(node, rank_of(node.input(0)) - 2);
  finish_with_bias(emitter, node, groups == 1 ? "Convolution" : "GroupConvolution", groups,
                   window_data(window));
  return {};
}

bool is_plain_transposed(const Node& node) {
  return has_known_weights(node) && !node.attributes.contains("output_shape");
}
Status emit_conv_transpose(Emitter& emitter, const Node& node) {
  const int64_t groups = node.attributes.get_int("group", 1);
  const size_t rank = rank_of(node.input(0)) - 2;
  LayerData data = window_data(window_of(node, rank));
  data.emplace_back("output_padding", list(node.attributes.get_ints(
                                          "output_padding", std::vector<int64_t>(rank, 0))));
  finish_with_bias(emitter, node,
                   groups == 1 ? "ConvolutionBackpropData" : "GroupConvolutionBackpropData", groups,
                   std::move(data));
  return {};
}

std::string rounding(const Node& node) {
  // The last window must begin within the input or the padding before it, in both.
  return node.attributes.get_int("ceil_mode", 0) != 0 ? "ceil_torch" : "floor";
}

bool pools_values(const Node& node) {
  return has_rank(node.input(0)) && node.output(1) == nullptr &&
         node.attributes.get_int("storage_order", 0) == 0;
}
Status emit_max_pool(Emitter& emitter, const Node& node) {
  LayerData data = window_data(window_of(node, rank_of(node.input(0)) - 2));
  data.emplace_back("kernel", list(node.attributes.get_ints("kernel_shape")));
  data.emplace_back("rounding_type", rounding(node));
  data.emplace_back("index_element_type", "i64");
  data.emplace_back("axis", "2");
  emitter.add_whole(node, "MaxPool", "opset14", {emitter.input(node, 0)}, std::move(data));
  return {};
}

bool is_dense(const Node& node) {
  const auto dilations = node.attributes.get_ints("dilations");
  return has_rank(node.input(0)) &&
         std::ranges::all_of(dilations, [](int64_t dilation) { return dilation == 1; });
}
Status emit_average_pool(Emitter& emitter, const Node& node) {
  LayerData data = window_data(window_of(node, rank_of(node.input(0)) - 2));
  std::erase_if(data, [](const auto& entry) { return entry.first == "dilations"; });
  data.emplace_back("kernel", list(node.attributes.get_ints("kernel_shape")));
  data.emplace_back("exclude-pad", flag(node.attributes.get_int("count_include_pad", 0) == 0));
  data.emplace_back("rounding_type", rounding(node));
  emitter.finish(node, "AvgPool", "opset14", {emitter.input(node, 0)}, std::move(data));
  return {};
}

Status emit_global_pool(Emitter& emitter, const Node& node) {
  std::vector<int64_t> axes;
  for (size_t i = 2; i < rank_of(node.input(0)); ++i) axes.push_back(static_cast<int64_t>(i));
  const char* type = node.op == "GlobalMaxPool" ? "ReduceMax" : "ReduceMean";
  emitter.finish(node, type, "opset1", {emitter.input(node, 0), emitter.ints(axes)},
                 {{"keep_dims", "true"}});
  return {};
}

bool has_known_rank(const Node& node) { return has_rank(node.input(0)); }

// Interpolate was made after ONNX: modes and coordinates have the same names.
bool is_plain_resize(const Node& node) {
  const std::string mode = node.attributes.get_string("coordinate_transformation_mode", "");
  return has_rank(node.input(0)) && mode != "tf_crop_and_resize" &&
         mode != "half_pixel_symmetric" &&
         node.attributes.get_string("keep_aspect_ratio_policy", "stretch") == "stretch" &&
         (has_constant(node, 2) || has_constant(node, 3)) &&
         node.attributes.get_int("exclude_outside", 0) == 0;
}
Status emit_resize(Emitter& emitter, const Node& node) {
  const Attributes& attributes = node.attributes;
  const std::string mode = attributes.get_string("mode", "nearest");
  std::vector<int64_t> axes = attributes.get_ints("axes");
  if (axes.empty()) {
    for (size_t i = 0; i < rank_of(node.input(0)); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  const bool by_scale = has_constant(node, 2) && node.constant_input(2)->element_count() > 0;
  std::vector<int64_t> pads(rank_of(node.input(0)), 0);
  LayerData data = {
      {"mode", mode == "linear" ? "linear_onnx" : mode},
      {"shape_calculation_mode", by_scale ? "scales" : "sizes"},
      {"coordinate_transformation_mode",
       attributes.get_string("coordinate_transformation_mode", "half_pixel")},
      {"nearest_mode", attributes.get_string("nearest_mode", "round_prefer_floor")},
      {"antialias", flag(attributes.get_int("antialias", 0) != 0)},
      {"pads_begin", list(pads)},
      {"pads_end", list(pads)},
      {"cube_coeff", fmt::format("{}", attributes.get_float("cubic_coeff_a", -0.75f))}};
  const Endpoint target = emitter.input(node, by_scale ? 2 : 3);
  emitter.finish(node, "Interpolate", "opset11",
                 {emitter.input(node, 0), target, emitter.ints(axes)}, std::move(data));
  return {};
}

Status emit_depth_to_space(Emitter& emitter, const Node& node) {
  const bool depth_first = node.attributes.get_string("mode", "DCR") == "CRD";
  emitter.finish(node, "DepthToSpace", "opset1", {emitter.input(node, 0)},
                 {{"block_size", fmt::format("{}", node.attributes.get_int("blocksize", 1))},
                  {"mode", depth_first ? "depth_first" : "blocks_first"}});
  return {};
}
Status emit_space_to_depth(Emitter& emitter, const Node& node) {
  emitter.finish(node, "SpaceToDepth", "opset1", {emitter.input(node, 0)},
                 {{"block_size", fmt::format("{}", node.attributes.get_int("blocksize", 1))},
                  {"mode", "blocks_first"}});
  return {};
}

constexpr EmitRow kRows[] = {
    {"Conv", emit_conv, has_known_weights},
    {"ConvTranspose", emit_conv_transpose, is_plain_transposed},
    {"MaxPool", emit_max_pool, pools_values},
    {"AveragePool", emit_average_pool, is_dense},
    {"GlobalAveragePool", emit_global_pool, has_known_rank},
    {"GlobalMaxPool", emit_global_pool, has_known_rank},
    {"Resize", emit_resize, is_plain_resize},
    {"DepthToSpace", emit_depth_to_space},
    {"SpaceToDepth", emit_space_to_depth},
};

}  // namespace

std::span<const EmitRow> window_rows() { return kRows; }

}  // namespace edgewright::openvino_ir
