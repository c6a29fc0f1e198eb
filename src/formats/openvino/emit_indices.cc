// Operators that read or write by index, and those that make shapes.
#include "formats/openvino/emit.h"

namespace edgewright::openvino_ir {
namespace {

Status emit_gather(Emitter& emitter, const Node& node) {
  emitter.finish(node, "Gather", "opset8",
                 {emitter.input(node, 0), emitter.input(node, 1),
                  emitter.integer(node.attributes.get_int("axis", 0))},
                 {{"batch_dims", "0"}});
  return {};
}

Status emit_gather_elements(Emitter& emitter, const Node& node) {
  emitter.finish(node, "GatherElements", "opset6", {emitter.input(node, 0), emitter.input(node, 1)},
                 {{"axis", fmt::format("{}", node.attributes.get_int("axis", 0))}});
  return {};
}

Status emit_gather_nd(Emitter& emitter, const Node& node) {
  emitter.finish(node, "GatherND", "opset8", {emitter.input(node, 0), emitter.input(node, 1)},
                 {{"batch_dims", fmt::format("{}", node.attributes.get_int("batch_dims", 0))}});
  return {};
}

bool overwrites(const Node& node) {
  return node.attributes.get_string("reduction", "none") == "none";
}
Status emit_scatter_nd(Emitter& emitter, const Node& node) {
  emitter.finish(node, "ScatterNDUpdate", "opset4",
                 {emitter.input(node, 0), emitter.input(node, 1), emitter.input(node, 2)});
  return {};
}
Status emit_scatter_elements(Emitter& emitter, const Node& node) {
  emitter.finish(node, "ScatterElementsUpdate", "opset12",
                 {emitter.input(node, 0), emitter.input(node, 1), emitter.input(node, 2),
                  emitter.integer(node.attributes.get_int("axis", 0))},
                 {{"reduction", "none"}, {"use_init_val", "true"}});
  return {};
}

bool is_whole_shape(const Node& node) {
  return node.attributes.get_int("start", 0) == 0 && !node.attributes.contains("end");
}
Status emit_shape(Emitter& emitter, const Node& node) {
  emitter.finish(node, "ShapeOf", "opset3", {emitter.input(node, 0)}, {{"output_type", "i64"}});
  return {};
}

Status emit_range(Emitter& emitter, const Node& node) {
  const std::string type(element_type(node.outputs[0]->type.dtype));
  emitter.finish(node, "Range", "opset4",
                 {emitter.input(node, 0), emitter.input(node, 1), emitter.input(node, 2)},
                 {{"output_type", type}});
  return {};
}

Status emit_constant_of_shape(Emitter& emitter, const Node& node) {
  const Tensor* value = node.attributes.get_tensor("value");
  const Endpoint fill =
      value == nullptr ? emitter.number(0, DType::kFloat32) : emitter.constant(value->reshaped({}));
  emitter.finish(node, "Broadcast", "opset3", {fill, emitter.input(node, 0)}, {{"mode", "numpy"}});
  return {};
}

bool is_known_count(const Node& node) { return has_constant(node, 1); }
Status emit_top_k(Emitter& emitter, const Node& node) {
  const auto count = constant_ints(node, 1);
  if (count.size() != 1) return unsupported("the number of elements must be one constant");
  emitter.add_whole(node, "TopK", "opset11", {emitter.input(node, 0), emitter.integer(count[0])},
                    {{"axis", fmt::format("{}", node.attributes.get_int("axis", -1))},
                     {"mode", node.attributes.get_int("largest", 1) != 0 ? "max" : "min"},
                     {"sort", node.attributes.get_int("sorted", 1) != 0 ? "value" : "none"},
                     {"index_element_type", "i64"},
                     {"stable", "true"}});
  return {};
}

// The first of equal elements wins in TopK: asking for the last one needs another form.
bool takes_first(const Node& node) {
  return node.attributes.get_int("select_last_index", 0) == 0 && has_rank(node.input(0));
}
Status emit_arg_max(Emitter& emitter, const Node& node) {
  const int64_t axis = node.attributes.get_int("axis", 0);
  const bool keep = node.attributes.get_int("keepdims", 1) != 0;
  const ValueType input = node.inputs[0]->type;
  Shape shape = *input.shape;
  shape[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis)] = 1;
  const Endpoint top = emitter.add_two(
      node, "TopK", "opset11", {emitter.input(node, 0), emitter.integer(1)},
      {{"axis", fmt::format("{}", axis)},
       {"mode", node.op == "ArgMax" ? "max" : "min"},
       {"sort", "value"},
       {"index_element_type", "i64"},
       {"stable", "true"}},
      ValueType::tensor(input.dtype, shape), ValueType::tensor(DType::kInt64, shape));
  const Endpoint indices = {top.layer, 1};
  if (keep) {
    emitter.give(node, 0, indices);
  } else {
    emitter.finish(node, "Squeeze", "opset1", {indices, emitter.ints({axis})});
  }
  return {};
}

Status emit_cumulative_sum(Emitter& emitter, const Node& node) {
  emitter.finish(node, "CumSum", "opset3", {emitter.input(node, 0), emitter.input(node, 1)},
                 {{"exclusive", flag(node.attributes.get_int("exclusive", 0) != 0)},
                  {"reverse", flag(node.attributes.get_int("reverse", 0) != 0)}});
  return {};
}

Status emit_non_zero(Emitter& emitter, const Node& node) {
  emitter.finish(node, "NonZero", "opset3", {emitter.input(node, 0)}, {{"output_type", "i64"}});
  return {};
}

constexpr EmitRow kRows[] = {
    {"Gather", emit_gather},
    {"GatherElements", emit_gather_elements},
    {"GatherND", emit_gather_nd},
    {"ScatterND", emit_scatter_nd, overwrites},
    {"ScatterElements", emit_scatter_elements, overwrites},
    {"Shape", emit_shape, is_whole_shape},
    {"Range", emit_range},
    {"ConstantOfShape", emit_constant_of_shape},
    {"TopK", emit_top_k, is_known_count},
    {"ArgMax", emit_arg_max, takes_first},
    {"ArgMin", emit_arg_max, takes_first},
    {"CumSum", emit_cumulative_sum},
    {"NonZero", emit_non_zero},
};

}  // namespace

std::span<const EmitRow> index_rows() { return kRows; }

}  // namespace edgewright::openvino_ir
