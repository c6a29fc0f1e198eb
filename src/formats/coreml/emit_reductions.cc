// Reductions, softmax and normalisations.
#include <algorithm>
#include <numeric>

#include "formats/coreml/emit.h"
#include "formats/coreml/names.h"

namespace edgewright::coreml {
namespace {

bool reduces_known_axes(const Node& node) {
  return is_float(node) && (node.input(1) == nullptr || has_constant(node, 1)) &&
         !dims_of(node.inputs[0]).empty() &&
         node.attributes.get_int("noop_with_empty_axes", 0) == 0;
}
Status emit_reduction(Emitter& emitter, const Node& node) {
  const bool is_pool = node.op.starts_with("Global");
  const auto rank = static_cast<int64_t>(dims_of(node.inputs[0]).size());
  std::vector<int64_t> axes = constant_ints(node, 1);
  if (axes.empty()) {
    for (int64_t axis = is_pool ? 2 : 0; axis < rank; ++axis) axes.push_back(axis);
  }
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  const bool keeps = is_pool || node.attributes.get_int("keepdims", 1) != 0;
  emitter.finish(node, std::ranges::find(reduction_names(), node.op, &NameRow::op)->operation,
                 {{"axes", {emitter.ints(axes)}},
                  {"keep_dims", {emitter.flag(keeps)}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

bool picks_first(const Node& node) {
  return is_float(node) && node.attributes.get_int("select_last_index", 0) == 0;
}
Status emit_arg(Emitter& emitter, const Node& node) {
  const int64_t axis = axis_of(node, 0, dims_of(node.inputs[0]).size());
  const bool keeps = node.attributes.get_int("keepdims", 1) != 0;
  emitter.finish(node, node.op == "ArgMax" ? "reduce_argmax" : "reduce_argmin",
                 {{"axis", {emitter.integer(axis)}},
                  {"keep_dims", {emitter.flag(keeps)}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

Status emit_softmax(Emitter& emitter, const Node& node) {
  const int64_t axis = axis_of(node, -1, dims_of(node.inputs[0]).size());
  emitter.finish(node, "softmax",
                 {{"axis", {emitter.integer(axis)}}, {"x", {emitter.input(node, 0)}}});
  return {};
}

bool has_constant_scale(const Node& node) {
  return is_float(node) && has_constant(node, 1) && node.outputs.size() == 1 &&
         (node.input(2) == nullptr || has_constant(node, 2));
}
Status emit_layer_norm(Emitter& emitter, const Node& node) {
  const auto rank = static_cast<int64_t>(dims_of(node.inputs[0]).size());
  std::vector<int64_t> axes;
  for (int64_t axis = axis_of(node, -1, static_cast<size_t>(rank)); axis < rank; ++axis) {
    axes.push_back(axis);
  }
  Arguments arguments = {
      {"axes", {emitter.ints(axes)}},
      {"epsilon",
       {emitter.number(node.attributes.get_float("epsilon", 1e-5f), node.inputs[0]->type.dtype)}},
      {"gamma", {emitter.input(node, 1)}},
      {"x", {emitter.input(node, 0)}}};
  if (node.input(2) != nullptr) arguments.push_back({"beta", {emitter.input(node, 2)}});
  emitter.finish(node, "layer_norm", arguments);
  return {};
}
bool scales_whole_axes(const Node& node) {
  if (!has_constant_scale(node)) return false;
  const Dims dims = dims_of(node.inputs[0]);
  const auto axis = static_cast<size_t>(axis_of(node, -1, dims.size()));
  const Dims normalised(dims.begin() + static_cast<std::ptrdiff_t>(axis), dims.end());
  return node.constant_input(1)->dims() == normalised &&
         (node.input(2) == nullptr || node.constant_input(2)->dims() == normalised);
}

bool has_constant_statistics(const Node& node) {
  return has_constant_scale(node) && has_constant(node, 2) && has_constant(node, 3) &&
         has_constant(node, 4) && dims_of(node.inputs[0]).size() >= 3;
}
Status emit_batch_norm(Emitter& emitter, const Node& node) {
  const DType dtype = node.inputs[0]->type.dtype;
  const float epsilon = node.attributes.get_float("epsilon", 1e-5f);
  emitter.finish(node, "batch_norm",
                 {{"beta", {emitter.input(node, 2)}},
                  {"epsilon", {emitter.number(epsilon, dtype)}},
                  {"gamma", {emitter.input(node, 1)}},
                  {"mean", {emitter.input(node, 3)}},
                  {"variance", {emitter.input(node, 4)}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

bool has_instances(const Node& node) {
  const size_t rank = dims_of(node.inputs[0]).size();
  return has_constant_scale(node) && has_constant(node, 2) && (rank == 3 || rank == 4);
}
Status emit_instance_norm(Emitter& emitter, const Node& node) {
  const float epsilon = node.attributes.get_float("epsilon", 1e-5f);
  emitter.finish(node, "instance_norm",
                 {{"beta", {emitter.input(node, 2)}},
                  {"epsilon", {emitter.number(epsilon, node.inputs[0]->type.dtype)}},
                  {"gamma", {emitter.input(node, 1)}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

constexpr EmitRow kRows[] = {
    {"ReduceMean", emit_reduction, reduces_known_axes},
    {"ReduceSum", emit_reduction, reduces_known_axes},
    {"ReduceMax", emit_reduction, reduces_known_axes},
    {"ReduceMin", emit_reduction, reduces_known_axes},
    {"ReduceProd", emit_reduction, reduces_known_axes},
    {"ReduceL1", emit_reduction, reduces_known_axes},
    {"ReduceL2", emit_reduction, reduces_known_axes},
    {"ReduceSumSquare", emit_reduction, reduces_known_axes},
    {"ReduceLogSumExp", emit_reduction, reduces_known_axes},
    {"GlobalAveragePool", emit_reduction, is_float},
    {"GlobalMaxPool", emit_reduction, is_float},
    {"ArgMax", emit_arg, picks_first},
    {"ArgMin", emit_arg, picks_first},
    {"Softmax", emit_softmax, is_float},
    {"LayerNormalization", emit_layer_norm, scales_whole_axes},
    {"BatchNormalization", emit_batch_norm, has_constant_statistics},
    {"InstanceNormalization", emit_instance_norm, has_instances},
};

}  // namespace

std::span<const EmitRow> reduction_rows() { return kRows; }

}  // namespace edgewright::coreml
