// What changed in meaning from one opset version to another, operator by operator, from version 7
// on; old_opset_adapters.cc has the versions before.
#include <algorithm>

#include "formats/onnx/adapter_edits.h"
#include "formats/onnx/old_opset_adapters.h"
#include "formats/onnx/opset_upgrades.h"
#include "tensor/half.h"

namespace edgewright::onnx_io {
namespace {

// ---- attributes that became inputs ----

Status axes_to_input(Node*& node) {
  move_ints_to_input(*node, "axes", 1);
  return {};
}

Status reduce_axes_to_input(Node*& node) {
  // No axes, as an attribute, meant all of them; so does an omitted input.
  if (node->attributes.get_ints("axes").empty()) node->attributes.erase("axes");
  return axes_to_input(node);
}

Status slice_10(Node*& node) {
  const auto starts = node->attributes.get_ints("starts");
  if (starts.size() != node->attributes.get_ints("ends").size()) {
    return bad_input("{} starts and {} ends", starts.size(),
                     node->attributes.get_ints("ends").size());
  }
  move_ints_to_input(*node, "starts", 1);
  move_ints_to_input(*node, "ends", 2);
  move_ints_to_input(*node, "axes", 3);
  return {};
}

Status top_k_10(Node*& node) {
  const int64_t k = node->attributes.get_int("k", -1);
  node->attributes.erase("k");
  node->graph->set_input(node, 1, ints_beside(*node, "k", {k}));
  return {};
}

Status clip_11(Node*& node) {
  const char* names[] = {"min", "max"};
  for (size_t i = 0; i < 2; ++i) {
    if (!node->attributes.contains(names[i])) continue;
    const float bound = node->attributes.get_float(names[i], 0);
    node->attributes.erase(names[i]);
    node->graph->set_input(node, i + 1, scalar_like_input(*node, 0, names[i], bound));
  }
  return {};
}

Status pad_11(Node*& node) {
  const float value = node->attributes.get_float("value", 0.0f);
  move_ints_to_input(*node, "pads", 1);
  node->attributes.erase("value");
  if (value != 0.0f) {
    node->graph->set_input(node, 2, scalar_like_input(*node, 0, "value", value));
  }
  return {};
}

Status split_13(Node*& node) {
  move_ints_to_input(*node, "split", 1);
  return {};
}

Status split_18(Node*& node) {
  if (node->input(1) == nullptr && !node->attributes.contains("num_outputs")) {
    node->attributes.set("num_outputs", static_cast<int64_t>(node->outputs.size()));
  }
  return {};
}

Status dft_20(Node*& node) {
  const int64_t axis = node->attributes.get_int("axis", 1);
  node->attributes.erase("axis");
  node->graph->set_input(node, 2, constant_beside(*node, "axis", Tensor::scalar<int64_t>(axis)));
  return {};
}

// ---- dropout and batch normalisation: training ----

// The mask became bool.
Status dropout_10(Node*& node) {
  Value* mask = node->output(1);
  if (mask == nullptr || (mask->uses.empty() && !mask->is_graph_output())) return {};
  const DType dtype = node->input(0)->type.dtype;
  if (dtype == DType::kUndefined) {
    return unsupported("the mask has the element type of an input whose type is not known");
  }
  append_to_output(*node, 1, "Cast", with_attribute("to", static_cast<int64_t>(dtype)));
  return {};
}

Status dropout_12(Node*& node) {
  const float ratio = node->attributes.get_float("ratio", 0.5f);
  node->attributes.erase("ratio");
  node->graph->set_input(node, 1, constant_beside(*node, "ratio", Tensor::scalar(ratio)));
  return {};
}

Status batch_normalization_9(Node*& node) {
  if (node->attributes.get_int("spatial", 1) != 1) {
    return unsupported("spatial=0 has no meaning from opset 9 on");
  }
  node->attributes.erase("spatial");
  return {};
}

bool is_used(const Value* value) {
  return value != nullptr && (!value->uses.empty() || value->is_graph_output());
}

// Further outputs meant training; the saved mean and variance went.
Status batch_normalization_14(Node*& node) {
  if (is_used(node->output(3)) || is_used(node->output(4))) {
    return unsupported("the outputs saved_mean and saved_var are gone from opset 14 on");
  }
  if (is_used(node->output(1)) || is_used(node->output(2))) {
    node->attributes.set("training_mode", int64_t{1});
  }
  const size_t kept = node->attributes.get_int("training_mode", 0) != 0 ? 3 : 1;
  while (node->outputs.size() > kept) {
    node->graph->drop_node_output(node, node->outputs.size() - 1);
  }
  return {};
}

// ---- softmax and its kin: from "flatten to two dimensions at axis" to "along axis" ----

// The one axis that has all elements from `axis` on, if there is such.
std::optional<int64_t> only_axis_from(const Shape& shape, int64_t axis) {
  std::optional<int64_t> only;
  for (auto i = static_cast<size_t>(axis); i < shape.size(); ++i) {
    if (shape[i] == Dim(1)) continue;
    if (only) return std::nullopt;
    only = static_cast<int64_t>(i);
  }
  return only ? only : static_cast<int64_t>(shape.size()) - 1;
}

Status softmax_13(Node*& node) {
  int64_t axis = node->attributes.get_int("axis", 1);
  const Value* x = node->input(0);
  if (x == nullptr) return bad_input("the input is missing");
  if (const auto rank = input_rank(*node, 0); rank && *rank > 0) {
    if (axis < 0) axis += *rank;
    if (axis >= 0 && axis < *rank) {
      if (const auto only = only_axis_from(*x->type.shape, axis)) {
        node->attributes.set("axis", *only);
        return {};
      }
    }
  }
  Value* flat = insert_before(*node, "Flatten", {node->inputs[0]}, with_attribute("axis", axis));
  const auto dims =
      x->type.is_tensor() && x->type.shape ? known_dims(*x->type.shape) : std::nullopt;
  Value* shape =
      dims ? ints_beside(*node, "shape", *dims) : insert_before(*node, "Shape", {node->inputs[0]});
  node->graph->set_input(node, 0, flat);
  node->attributes.set("axis", int64_t{-1});
  Node* reshape = append_to_output(*node, 0, "Reshape");
  node->graph->set_input(reshape, 1, shape);
  return {};
}

// ---- resizing ----

Status upsample_9(Node*& node) {
  const auto scales = node->attributes.get_floats("scales");
  node->attributes.erase("scales");
  const auto count = static_cast<int64_t>(scales.size());
  node->graph->set_input(
      node, 1,
      constant_beside(*node, "scales", Tensor::of<float>({count}, std::span<const float>(scales))));
  return {};
}

Status upsample_10(Node*& node) {
  node->op = "Resize";
  return {};
}

Status resize_11(Node*& node) {
  Value* scales = node->input(1);
  node->graph->set_input(node, 1, nullptr);
  node->graph->set_input(node, 2, scales);
  node->attributes.set("coordinate_transformation_mode", std::string("asymmetric"));
  node->attributes.set("nearest_mode", std::string("floor"));
  if (node->attributes.get_string("mode", "nearest") == "bilinear") {
    node->attributes.set("mode", std::string("linear"));
  }
  return {};
}

// With x = (i + 0.5) / scale, the mode that went takes floor(x) or ceil(x - 0.5) of x; half_pixel
// starts from h = x - 0.5, so that floor(x) = floor(h + 0.5) and ceil(x - 0.5) = ceil(h).
Status resize_13(Node*& node) {
  for (size_t i = 1; i <= 2; ++i) {
    const Tensor* tensor = node->constant_input(i);
    if (tensor != nullptr && tensor->element_count() == 0) {
      node->graph->set_input(node, i, nullptr);
    }
  }
  node->graph->remove_trailing_omitted_inputs(node);
  const std::string mode =
      node->attributes.get_string("coordinate_transformation_mode", "half_pixel");
  if (mode != "tf_half_pixel_for_nn") return {};
  const std::string nearest = node->attributes.get_string("nearest_mode", "round_prefer_floor");
  if (node->attributes.get_string("mode", "nearest") != "nearest" ||
      (nearest != "floor" && nearest != "round_prefer_floor")) {
    return unsupported("tf_half_pixel_for_nn with nearest_mode {} is gone from opset 13 on",
                       nearest);
  }
  node->attributes.set("coordinate_transformation_mode", std::string("half_pixel"));
  node->attributes.set("nearest_mode",
                       std::string(nearest == "floor" ? "round_prefer_ceil" : "ceil"));
  return {};
}

Status roi_align_16(Node*& node) {
  if (!node->attributes.contains("coordinate_transformation_mode")) {
    node->attributes.set("coordinate_transformation_mode", std::string("output_half_pixel"));
  }
  return {};
}

Status grid_sample_20(Node*& node) {
  const std::string mode = node->attributes.get_string("mode", "bilinear");
  if (mode == "bilinear") node->attributes.set("mode", std::string("linear"));
  if (mode == "bicubic") node->attributes.set("mode", std::string("cubic"));
  return {};
}

// ---- the others ----

Status scatter_11(Node*& node) {
  node->op = "ScatterElements";
  return {};
}

// Scale and bias of a group became those of a channel.
Status group_normalization_21(Node*& node) {
  const int64_t groups = node->attributes.get_int("num_groups", 0);
  const Value* x = node->input(0);
  const bool known = x != nullptr && x->type.is_tensor() && x->type.shape &&
                     x->type.shape->size() > 1 && (*x->type.shape)[1].is_known();
  if (!known || groups < 1) return unsupported("the number of channels is not known");
  const int64_t channels = (*x->type.shape)[1].value;
  if (channels % groups != 0) return bad_input("{} channels in {} groups", channels, groups);
  for (size_t i = 1; i <= 2; ++i) {
    Value* column = insert_before(*node, "Reshape",
                                  {node->input(i), ints_beside(*node, "column", {groups, 1})});
    Value* spread = insert_before(
        *node, "Expand", {column, ints_beside(*node, "spread", {groups, channels / groups})});
    node->graph->set_input(
        node, i,
        insert_before(*node, "Reshape", {spread, ints_beside(*node, "channels", {channels})}));
  }
  return {};
}

// The class list became a map between strings and their positions.
Status label_encoder_2(Node*& node) {
  auto classes = node->attributes.get_strings("classes_strings");
  node->attributes.erase("classes_strings");
  std::vector<int64_t> positions(classes.size());
  for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int64_t>(i);
  const DType dtype = node->input(0) == nullptr ? DType::kUndefined : node->input(0)->type.dtype;
  if (dtype == DType::kUndefined) return unsupported("the element type of the input is not known");
  const bool from_text = dtype == DType::kString;
  node->attributes.set(from_text ? "keys_strings" : "values_strings", std::move(classes));
  node->attributes.set(from_text ? "values_int64s" : "keys_int64s", std::move(positions));
  return {};
}

constexpr UpgradeAdapter kAdapters[] = {
    {"", "BatchNormalization", 9, batch_normalization_9},
    {"", "BatchNormalization", 14, batch_normalization_14},
    {"", "Clip", 11, clip_11},
    {"", "DFT", 20, dft_20},
    {"", "Dropout", 10, dropout_10},
    {"", "Dropout", 12, dropout_12},
    {"", "GridSample", 20, grid_sample_20},
    {"", "GroupNormalization", 21, group_normalization_21},
    {"", "Hardmax", 13, softmax_13},
    {"", "LogSoftmax", 13, softmax_13},
    {"", "Pad", 11, pad_11},
    {"", "ReduceL1", 18, reduce_axes_to_input},
    {"", "ReduceL2", 18, reduce_axes_to_input},
    {"", "ReduceLogSum", 18, reduce_axes_to_input},
    {"", "ReduceLogSumExp", 18, reduce_axes_to_input},
    {"", "ReduceMax", 18, reduce_axes_to_input},
    {"", "ReduceMean", 18, reduce_axes_to_input},
    {"", "ReduceMin", 18, reduce_axes_to_input},
    {"", "ReduceProd", 18, reduce_axes_to_input},
    {"", "ReduceSum", 13, reduce_axes_to_input},
    {"", "ReduceSumSquare", 18, reduce_axes_to_input},
    {"", "Resize", 11, resize_11},
    {"", "Resize", 13, resize_13},
    {"", "RoiAlign", 16, roi_align_16},
    {"", "Scan", 9, upgrade_batched_scan},
    {"", "Scatter", 11, scatter_11},
    {"", "Slice", 10, slice_10},
    {"", "Softmax", 13, softmax_13},
    {"", "Split", 13, split_13},
    {"", "Split", 18, split_18},
    {"", "Squeeze", 13, axes_to_input},
    {"", "TopK", 10, top_k_10},
    {"", "Unsqueeze", 13, axes_to_input},
    {"", "Upsample", 9, upsample_9},
    {"", "Upsample", 10, upsample_10},
    {"ai.onnx.ml", "LabelEncoder", 2, label_encoder_2},
};

}  // namespace

std::span<const UpgradeAdapter> upgrade_adapters() {
  static const auto table = [] {
    const auto old = old_opset_adapters();
    std::vector<UpgradeAdapter> rows(old.begin(), old.end());
    rows.insert(rows.end(), std::begin(kAdapters), std::end(kAdapters));
    return rows;
  }();
  return table;
}

}  // namespace edgewright::onnx_io
