// What an operator of a version must give up to mean the same in the version before. Attributes
// that the older schema lacks and that have their defaults are dropped elsewhere, types are checked
// elsewhere: a row is only needed where that is not enough.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/onnx/adapter_edits.h"
#include "formats/onnx/opset_downgrades.h"

namespace edgewright::onnx_io {
namespace {

void drop_input(Node& node, size_t i) {
  Value* value = node.input(i);
  node.graph->set_input(&node, i, nullptr);
  node.graph->remove_trailing_omitted_inputs(&node);
  const bool unused = value != nullptr && value->is_constant() && value->uses.empty() &&
                      !value->is_graph_output() && !value->is_graph_input();
  if (unused) value->graph->erase_constant(value);
}

Result<std::vector<int64_t>> constant_ints(const Node& node, size_t i, const char* what) {
  const Tensor* tensor = node.constant_input(i);
  if (tensor == nullptr) return unsupported("{} must be constant there, and is not", what);
  return tensor->to_int64s();
}

Result<double> constant_number(const Node& node, size_t i, const char* what) {
  const Tensor* tensor = node.constant_input(i);
  if (tensor == nullptr || tensor->element_count() != 1) {
    return unsupported("{} must be a constant number there, and is not", what);
  }
  EDGEWRIGHT_ASSIGN(const auto values, tensor->to_doubles());
  return values[0];
}

// Input `i`, when there, becomes an attribute.
Status ints_to_attribute(Node& node, size_t i, const char* attribute) {
  if (node.input(i) == nullptr) return {};
  EDGEWRIGHT_ASSIGN(auto values, constant_ints(node, i, attribute));
  drop_input(node, i);
  node.attributes.set(attribute, std::move(values));
  return {};
}

Status axes_to_attribute(Node*& node) { return ints_to_attribute(*node, 1, "axes"); }

Status reduce_axes_to_attribute(Node*& node) {
  const Tensor* axes = node->constant_input(1);
  const bool all = node->input(1) == nullptr || (axes != nullptr && axes->element_count() == 0);
  if (all && node->attributes.get_int("noop_with_empty_axes", 0) != 0) {
    return unsupported("noop_with_empty_axes has no meaning there");
  }
  node->attributes.erase("noop_with_empty_axes");
  if (!all) return axes_to_attribute(node);
  drop_input(*node, 1);
  return {};
}

Status unsqueeze_13(Node*& node) {
  if (node->input(1) == nullptr) return bad_input("no axes");
  return axes_to_attribute(node);
}

Status slice_10(Node*& node) {
  if (node->input(4) != nullptr) {
    EDGEWRIGHT_ASSIGN(const auto steps, constant_ints(*node, 4, "steps"));
    if (std::ranges::any_of(steps, [](int64_t step) { return step != 1; })) {
      return unsupported("steps other than 1 have no meaning there");
    }
  }
  for (size_t i = 1; i <= 3; ++i) {
    if (node->input(i) != nullptr && node->constant_input(i) == nullptr) {
      return unsupported("starts, ends and axes must be constant there, and are not");
    }
  }
  drop_input(*node, 4);
  EDGEWRIGHT_TRY(ints_to_attribute(*node, 3, "axes"));
  EDGEWRIGHT_TRY(ints_to_attribute(*node, 2, "ends"));
  return ints_to_attribute(*node, 1, "starts");
}

Status top_k_10(Node*& node) {
  EDGEWRIGHT_ASSIGN(const auto k, constant_ints(*node, 1, "k"));
  if (k.size() != 1) return bad_input("k has {} elements", k.size());
  drop_input(*node, 1);
  node->attributes.set("k", k[0]);
  return {};
}

Status clip_11(Node*& node) {
  for (size_t i = 1; i <= 2; ++i) {
    if (node->input(i) != nullptr) EDGEWRIGHT_TRY(constant_number(*node, i, "a bound"));
  }
  const char* names[] = {"", "min", "max"};
  for (size_t i = 2; i >= 1; --i) {
    if (node->input(i) == nullptr) continue;
    EDGEWRIGHT_ASSIGN(const double bound, constant_number(*node, i, names[i]));
    drop_input(*node, i);
    node->attributes.set(names[i], static_cast<float>(bound));
  }
  return {};
}

Status dropout_12(Node*& node) {
  if (node->input(2) != nullptr) {
    EDGEWRIGHT_ASSIGN(const double training, constant_number(*node, 2, "training_mode"));
    if (training != 0) return unsupported("training has no meaning there");
  }
  if (node->input(1) != nullptr) {
    EDGEWRIGHT_ASSIGN(const double ratio, constant_number(*node, 1, "ratio"));
    node->attributes.set("ratio", static_cast<float>(ratio));
  }
  node->attributes.erase("seed");
  drop_input(*node, 2);
  drop_input(*node, 1);
  return {};
}

Status dropout_10(Node*& node) {
  const Value* mask = node->output(1);
  if (mask != nullptr && (!mask->uses.empty() || mask->is_graph_output())) {
    return unsupported("a mask of type bool has no meaning there");
  }
  return {};
}

Status batch_normalization_14(Node*& node) {
  if (node->attributes.get_int("training_mode", 0) != 0) {
    return unsupported("training_mode has no meaning there");
  }
  return {};
}

Status dft_20(Node*& node) {
  int64_t axis = -2;
  if (node->input(2) != nullptr) {
    EDGEWRIGHT_ASSIGN(const auto values, constant_ints(*node, 2, "axis"));
    if (values.size() != 1) return bad_input("axis has {} elements", values.size());
    axis = values[0];
  }
  const auto rank = input_rank(*node, 0);
  if (axis < 0 && !rank) return unsupported("a negative axis of an unknown rank");
  drop_input(*node, 2);
  node->attributes.set("axis", axis < 0 ? axis + *rank : axis);
  return {};
}

Status grid_sample_20(Node*& node) {
  const std::string mode = node->attributes.get_string("mode", "linear");
  if (const auto rank = input_rank(*node, 0); rank && *rank != 4) {
    return unsupported("only 4-dimensional input has a meaning there");
  }
  if (mode == "linear") node->attributes.set("mode", std::string("bilinear"));
  if (mode == "cubic") node->attributes.set("mode", std::string("bicubic"));
  return {};
}

// Only the last axis has a form of its own; another one is brought there and back.
Status softmax_13(Node*& node) {
  const auto rank = input_rank(*node, 0);
  int64_t axis = node->attributes.get_int("axis", -1);
  if (!rank) return unsupported("the axis of an input of unknown rank");
  if (axis < 0) axis += *rank;
  if (axis < 0 || axis >= *rank) return bad_input("axis {} of rank {}", axis, *rank);
  node->attributes.set("axis", *rank - 1);
  if (axis == *rank - 1) return {};
  std::vector<int64_t> order(static_cast<size_t>(*rank));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<size_t>(axis)], order.back());
  Value* moved = insert_before(*node, "Transpose", {node->input(0)}, with_attribute("perm", order));
  node->graph->set_input(node, 0, moved);
  append_to_output(*node, 0, "Transpose", with_attribute("perm", order));
  return {};
}

Status gemm_11(Node*& node) {
  if (node->input(2) == nullptr) {
    node->graph->set_input(node, 2, scalar_like_input(*node, 0, "zero", 0.0));
  }
  return {};
}

Status pad_19(Node*& node) {
  if (node->attributes.get_string("mode", "constant") == "wrap") {
    return unsupported("mode 'wrap' has no meaning there");
  }
  return {};
}

// Padding of chosen axes becomes padding of all.
Status pad_18(Node*& node) {
  if (node->input(3) == nullptr) return {};
  const auto rank = input_rank(*node, 0);
  if (!rank) return unsupported("axes of an input of unknown rank");
  EDGEWRIGHT_ASSIGN(const auto axes, constant_ints(*node, 3, "axes"));
  EDGEWRIGHT_ASSIGN(const auto pads, constant_ints(*node, 1, "pads"));
  if (pads.size() != 2 * axes.size()) {
    return bad_input("{} pads for {} axes", pads.size(), axes.size());
  }
  std::vector<int64_t> all(static_cast<size_t>(2 * *rank), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i] < 0 ? axes[i] + *rank : axes[i];
    if (axis < 0 || axis >= *rank) return bad_input("axis {} of rank {}", axes[i], *rank);
    all[static_cast<size_t>(axis)] = pads[i];
    all[static_cast<size_t>(axis + *rank)] = pads[i + axes.size()];
  }
  drop_input(*node, 3);
  node->graph->set_input(node, 1, ints_beside(*node, "pads", all));
  return {};
}

Status pad_11(Node*& node) {
  EDGEWRIGHT_TRY(constant_ints(*node, 1, "pads"));
  if (node->input(2) != nullptr) {
    EDGEWRIGHT_ASSIGN(const double value, constant_number(*node, 2, "the padding value"));
    drop_input(*node, 2);
    node->attributes.set("value", static_cast<float>(value));
  }
  return ints_to_attribute(*node, 1, "pads");
}

Status split_18(Node*& node) {
  if (!node->attributes.contains("num_outputs")) return {};
  const Value* x = node->input(0);
  const auto rank = input_rank(*node, 0);
  int64_t axis = node->attributes.get_int("axis", 0);
  node->attributes.erase("num_outputs");
  // Without lengths the parts are equal; where the size is not known, the older operator refuses
  // what it cannot divide when it runs.
  if (!rank) return {};
  if (axis < 0) axis += *rank;
  if (axis < 0 || axis >= *rank) return bad_input("axis {} of rank {}", axis, *rank);
  const Dim& dim = (*x->type.shape)[static_cast<size_t>(axis)];
  const auto parts = static_cast<int64_t>(node->outputs.size());
  if (!dim.is_known() || parts == 0 || dim.value % parts == 0) return {};
  const int64_t length = (dim.value + parts - 1) / parts;
  std::vector<int64_t> lengths(static_cast<size_t>(parts), length);
  lengths.back() = dim.value - length * (parts - 1);
  if (lengths.back() < 0) return bad_input("{} cannot be cut into {} parts", dim.value, parts);
  node->graph->set_input(node, 1, ints_beside(*node, "split", lengths));
  return {};
}

Status split_13(Node*& node) { return ints_to_attribute(*node, 1, "split"); }

// ---- resizing ----

Status resize_19(Node*& node) {
  const auto mode = node->attributes.get_string("coordinate_transformation_mode", "half_pixel");
  if (mode == "half_pixel_symmetric") return unsupported("{} has no meaning there", mode);
  return {};
}

// Scales of chosen axes become scales of all.
Status resize_18(Node*& node) {
  const auto axes = node->attributes.get_ints("axes");
  if (!node->attributes.contains("axes")) return {};
  const auto rank = input_rank(*node, 0);
  const Tensor* scales = node->constant_input(2);
  if (!rank || scales == nullptr || scales->dtype() != DType::kFloat32 ||
      scales->element_count() != static_cast<int64_t>(axes.size()) || node->input(1) != nullptr) {
    return unsupported("axes have no meaning there unless scales are constant");
  }
  std::vector<float> all(static_cast<size_t>(*rank), 1.0f);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i] < 0 ? axes[i] + *rank : axes[i];
    if (axis < 0 || axis >= *rank) return bad_input("axis {} of rank {}", axes[i], *rank);
    all[static_cast<size_t>(axis)] = scales->data<float>()[i];
  }
  node->attributes.erase("axes");
  node->graph->set_input(
      node, 2,
      constant_beside(*node, "scales", Tensor::of<float>({*rank}, std::span<const float>(all))));
  return {};
}

// Region and scales had to be given, empty where they do not count.
Status resize_13(Node*& node) {
  for (size_t i = 1; i <= 2; ++i) {
    if (node->input(i) != nullptr) continue;
    node->graph->set_input(
        node, i, constant_beside(*node, i == 1 ? "roi" : "scales", Tensor::of<float>({0}, {})));
  }
  return {};
}

Status resize_11(Node*& node) {
  const Attributes& a = node->attributes;
  const std::string mode = a.get_string("mode", "nearest");
  const std::string nearest = a.get_string("nearest_mode", "round_prefer_floor");
  const Tensor* scales = node->constant_input(2);
  if (a.get_string("coordinate_transformation_mode", "half_pixel") != "asymmetric" ||
      mode == "cubic" || (mode == "nearest" && nearest != "floor") || node->input(3) != nullptr ||
      (scales != nullptr && scales->element_count() == 0)) {
    return unsupported(
        "only asymmetric coordinates, rounded down, and scales have a meaning there");
  }
  node->attributes = with_attribute("mode", mode);
  Value* given = node->input(2);
  drop_input(*node, 1);
  node->graph->set_input(node, 1, given);
  drop_input(*node, 2);
  return {};
}

Status resize_10(Node*& node) {
  node->op = "Upsample";
  return {};
}

Status upsample_9(Node*& node) {
  const Tensor* scales = node->constant_input(1);
  if (scales == nullptr || scales->dtype() != DType::kFloat32) {
    return unsupported("scales must be constant there, and are not");
  }
  const auto values = scales->elements<float>();
  node->attributes.set("scales", std::vector<float>(values.begin(), values.end()));
  drop_input(*node, 1);
  return {};
}

// ---- the others ----

Status roi_align_16(Node*& node) {
  const auto mode = node->attributes.get_string("coordinate_transformation_mode", "half_pixel");
  if (mode != "output_half_pixel") return unsupported("{} has no meaning there", mode);
  node->attributes.erase("coordinate_transformation_mode");
  return {};
}

Status shape_15(Node*& node) {
  const Attributes given = node->attributes;
  const int64_t start = given.get_int("start", 0);
  node->attributes = {};
  if (start == 0 && !given.contains("end")) return {};
  Value* starts = ints_beside(*node, "start", {start});
  Value* ends = ints_beside(*node, "end", {given.get_int("end", INT64_MAX)});
  Node* slice = append_to_output(*node, 0, "Slice");
  node->graph->set_input(slice, 1, starts);
  node->graph->set_input(slice, 2, ends);
  return {};
}

Status scatter_18(Node*& node) {
  const auto reduction = node->attributes.get_string("reduction", "none");
  if (reduction != "none" && reduction != "add" && reduction != "mul") {
    return unsupported("reduction '{}' has no meaning there", reduction);
  }
  return {};
}

Status scatter_elements_11(Node*& node) {
  node->op = "Scatter";
  return {};
}

Status scan_9(Node*&) { return unsupported("a Scan without a batch has no meaning there"); }

// One scale for every channel is younger than one for all.
Status per_axis_13(Node*& node) {
  const auto rank = input_rank(*node, 1);
  if (!rank || *rank > 0) {
    const Tensor* scale = node->constant_input(1);
    if (scale == nullptr || scale->element_count() != 1) {
      return unsupported("a scale for every channel has no meaning there");
    }
  }
  node->attributes.erase("axis");
  return {};
}

// The output type had to be given by the zero point.
Status quantize_linear_21(Node*& node) {
  const int64_t number = node->attributes.get_int("output_dtype", 0);
  if (number == 0) return {};
  if (node->input(2) == nullptr) {
    const Value* scale = node->input(1);
    const auto dims = scale != nullptr && scale->type.is_tensor() && scale->type.shape
                          ? known_dims(*scale->type.shape)
                          : std::nullopt;
    if (!dims || number < 0 || number >= kDTypeCount) {
      return unsupported("output_dtype has no meaning there and the shape of the scale is unknown");
    }
    EDGEWRIGHT_ASSIGN(Tensor zeros, Tensor::allocate(static_cast<DType>(number), *dims));
    node->graph->set_input(node, 2, constant_beside(*node, "zero_point", std::move(zeros)));
  }
  node->attributes.erase("output_dtype");
  return {};
}

// Element-wise operators of any number of inputs broadcast since 8.
Status equal_shapes_8(Node*& node) {
  for (const Value* input : node->inputs) {
    if (!input->type.shape || input->type != node->inputs[0]->type) {
      return unsupported("broadcasting has no meaning there");
    }
  }
  return {};
}

constexpr DowngradeAdapter kAdapters[] = {
    {"", "BatchNormalization", 14, batch_normalization_14},
    {"", "Clip", 11, clip_11},
    {"", "DFT", 20, dft_20},
    {"", "DequantizeLinear", 13, per_axis_13},
    {"", "Dropout", 12, dropout_12},
    {"", "Dropout", 10, dropout_10},
    {"", "Gemm", 11, gemm_11},
    {"", "GridSample", 20, grid_sample_20},
    {"", "Hardmax", 13, softmax_13},
    {"", "LogSoftmax", 13, softmax_13},
    {"", "Max", 8, equal_shapes_8},
    {"", "Mean", 8, equal_shapes_8},
    {"", "Min", 8, equal_shapes_8},
    {"", "Pad", 19, pad_19},
    {"", "Pad", 18, pad_18},
    {"", "Pad", 11, pad_11},
    {"", "QuantizeLinear", 21, quantize_linear_21},
    {"", "QuantizeLinear", 13, per_axis_13},
    {"", "ReduceL1", 18, reduce_axes_to_attribute},
    {"", "ReduceL2", 18, reduce_axes_to_attribute},
    {"", "ReduceLogSum", 18, reduce_axes_to_attribute},
    {"", "ReduceLogSumExp", 18, reduce_axes_to_attribute},
    {"", "ReduceMax", 18, reduce_axes_to_attribute},
    {"", "ReduceMean", 18, reduce_axes_to_attribute},
    {"", "ReduceMin", 18, reduce_axes_to_attribute},
    {"", "ReduceProd", 18, reduce_axes_to_attribute},
    {"", "ReduceSum", 13, reduce_axes_to_attribute},
    {"", "ReduceSumSquare", 18, reduce_axes_to_attribute},
    {"", "Resize", 19, resize_19},
    {"", "Resize", 18, resize_18},
    {"", "Resize", 13, resize_13},
    {"", "Resize", 11, resize_11},
    {"", "Resize", 10, resize_10},
    {"", "RoiAlign", 16, roi_align_16},
    {"", "Scan", 9, scan_9},
    {"", "ScatterElements", 18, scatter_18},
    {"", "ScatterElements", 11, scatter_elements_11},
    {"", "ScatterND", 18, scatter_18},
    {"", "Shape", 15, shape_15},
    {"", "Slice", 10, slice_10},
    {"", "Softmax", 13, softmax_13},
    {"", "Split", 18, split_18},
    {"", "Split", 13, split_13},
    {"", "Squeeze", 13, axes_to_attribute},
    {"", "Sum", 8, equal_shapes_8},
    {"", "TopK", 10, top_k_10},
    {"", "Unsqueeze", 13, unsqueeze_13},
    {"", "Upsample", 9, upsample_9},
};

}  // namespace

std::span<const DowngradeAdapter> downgrade_adapters() { return kAdapters; }

}  // namespace edgewright::onnx_io
