// Reductions, softmax and normalisations.
#include <algorithm>
#include <numeric>

#include "formats/ncnn/emit.h"

namespace edgewright::ncnn_format {
namespace {

struct CodeRow {
  std::string_view op;
  int64_t code;
};
constexpr CodeRow kReductions[] = {
    {"ReduceSum", 0},    {"ReduceSumSquare", 2}, {"ReduceMean", 3}, {"ReduceMax", 4},
    {"ReduceMin", 5},    {"ReduceProd", 6},      {"ReduceL1", 7},   {"ReduceL2", 8},
    {"ReduceLogSum", 9}, {"ReduceLogSumExp", 10}};

bool comes_in(const Node& node) { return !has_constant(node, 0); }

bool reduces_known_axes(const Node& node) {
  return comes_in(node) && (node.input(1) == nullptr || has_constant(node, 1)) &&
         node.attributes.get_int("noop_with_empty_axes", 0) == 0;
}
Status emit_reduction(Emitter& emitter, const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  const auto rank = static_cast<int64_t>(dims.size());
  std::vector<int64_t> axes = constant_ints(node, 1);
  // Axes that are left out or empty are all of them.
  if (axes.empty()) {
    axes.resize(dims.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  const int dropped = dropped_axis(dims);
  Dims result = blob_dims(dims);
  std::vector<int64_t> left;
  for (const int64_t axis : axes) {
    const int64_t at = axis < 0 ? axis + rank : axis;
    if (at == dropped) continue;
    left.push_back(axis_without(at, dropped));
    result[static_cast<size_t>(left.back())] = 1;
  }
  // The layer keeps the axes; finish() leaves them out where ONNX does.
  emitter.finish(node, "Reduction", {emitter.input(node, 0)},
                 Parameters()
                     .integer(0, std::ranges::find(kReductions, node.op, &CodeRow::op)->code)
                     .integer(1, 0)
                     .array(3, left)
                     .integer(4, 1)
                     .integer(5, 1),
                 result);
  return {};
}

bool is_along_a_long_axis(const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  return comes_in(node) && !dims.empty() && axis_of(node, -1, dims.size()) != dropped_axis(dims);
}
Status emit_softmax(Emitter& emitter, const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  const int64_t axis = axis_without(axis_of(node, -1, dims.size()), dropped_axis(dims));
  // Parameter 1 asks for the axis as it is meant, not as old versions counted.
  emitter.finish(node, "Softmax", {emitter.input(node, 0)},
                 Parameters().integer(0, axis).integer(1, 1), blob_dims(dims));
  return {};
}

bool normalises_rows(const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  if (!comes_in(node) || dims.empty() || dims.back() < 2 || node.outputs.size() != 1) return false;
  if (axis_of(node, -1, dims.size()) + 1 != static_cast<int64_t>(dims.size())) return false;
  const auto is_row = [&](size_t i) {
    return has_constant(node, i) && node.constant_input(i)->dims() == Dims{dims.back()};
  };
  return is_row(1) && (node.input(2) == nullptr || is_row(2));
}
Status emit_layer_norm(Emitter& emitter, const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  const std::string bottom = emitter.input(node, 0);
  emitter.raw_weights(floats_of(*node.constant_input(1)));
  const Tensor* bias = node.constant_input(2);
  emitter.raw_weights(bias != nullptr ? floats_of(*bias)
                                      : std::vector<float>(static_cast<size_t>(dims.back())));
  emitter.finish(node, "LayerNorm", {bottom},
                 Parameters()
                     .integer(0, dims.back())
                     .number(1, node.attributes.get_float("epsilon", 1e-5f))
                     .integer(2, 1),
                 blob_dims(dims));
  return {};
}

bool has_images(const Node& node, size_t constants) {
  const Dims dims = dims_of(node.inputs[0]);
  if (!comes_in(node) || dims.size() != 4 || dims[0] != 1 || node.outputs.size() != 1) return false;
  for (size_t i = 1; i <= constants; ++i) {
    if (!has_constant(node, i)) return false;
  }
  return true;
}
bool has_statistics(const Node& node) { return has_images(node, 4); }
Status emit_batch_norm(Emitter& emitter, const Node& node) {
  const Dims image = without(dims_of(node.inputs[0]), 0);
  const std::string bottom = emitter.input_as(node, 0, image);
  for (const size_t i : {1, 3, 4, 2}) emitter.raw_weights(floats_of(*node.constant_input(i)));
  emitter.finish(
      node, "BatchNorm", {bottom},
      Parameters().integer(0, image[0]).number(1, node.attributes.get_float("epsilon", 1e-5f)),
      image);
  return {};
}

bool has_instances(const Node& node) { return has_images(node, 2); }
Status emit_instance_norm(Emitter& emitter, const Node& node) {
  const Dims image = without(dims_of(node.inputs[0]), 0);
  const std::string bottom = emitter.input_as(node, 0, image);
  for (const size_t i : {1, 2}) emitter.raw_weights(floats_of(*node.constant_input(i)));
  emitter.finish(node, "InstanceNorm", {bottom},
                 Parameters()
                     .integer(0, image[0])
                     .number(1, node.attributes.get_float("epsilon", 1e-5f))
                     .integer(2, 1),
                 image);
  return {};
}

constexpr EmitRow kRows[] = {
    {"ReduceSum", emit_reduction, reduces_known_axes},
    {"ReduceSumSquare", emit_reduction, reduces_known_axes},
    {"ReduceMean", emit_reduction, reduces_known_axes},
    {"ReduceMax", emit_reduction, reduces_known_axes},
    {"ReduceMin", emit_reduction, reduces_known_axes},
    {"ReduceProd", emit_reduction, reduces_known_axes},
    {"ReduceL1", emit_reduction, reduces_known_axes},
    {"ReduceL2", emit_reduction, reduces_known_axes},
    {"ReduceLogSum", emit_reduction, reduces_known_axes},
    {"ReduceLogSumExp", emit_reduction, reduces_known_axes},
    {"Softmax", emit_softmax, is_along_a_long_axis},
    {"LayerNormalization", emit_layer_norm, normalises_rows},
    {"BatchNormalization", emit_batch_norm, has_statistics},
    {"InstanceNormalization", emit_instance_norm, has_instances},
};

}  // namespace

std::span<const EmitRow> reduction_rows() { return kRows; }

}  // namespace edgewright::ncnn_format
