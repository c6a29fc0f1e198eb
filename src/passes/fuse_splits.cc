// Before: Split of a part of a Split, both on one axis.      After: one Split.
// Conditions: constant sizes; the part is used here only.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// The sizes of the parts along the axis, from their types.
std::optional<std::vector<int64_t>> part_sizes(const Node& split, size_t axis) {
  std::vector<int64_t> sizes;
  for (const Value* part : split.outputs) {
    const auto rank = rank_of(part);
    if (!rank || axis >= *rank || !(*part->type.shape)[axis].is_known()) return std::nullopt;
    sizes.push_back((*part->type.shape)[axis].value);
  }
  return sizes;
}

std::optional<size_t> axis_of(const Node& split) {
  const auto rank = rank_of(split.input(0));
  if (!rank) return std::nullopt;
  const auto axes = normalised_axes({split.attributes.get_int("axis", 0)}, *rank);
  return axes ? std::optional(static_cast<size_t>(axes->front())) : std::nullopt;
}

// The outer's parts with the inner's in place of the one that it divides.
void merge(PassContext& context, Graph& graph, Node& outer, Node& inner, size_t axis,
           const std::vector<int64_t>& outer_sizes, const std::vector<int64_t>& inner_sizes) {
  const size_t divided = inner.inputs[0]->output_index;
  std::vector<int64_t> sizes;
  std::vector<Value*> parts;
  for (size_t i = 0; i < outer.outputs.size(); ++i) {
    const Node& source = i == divided ? inner : outer;
    const size_t count = i == divided ? inner.outputs.size() : 1;
    for (size_t j = 0; j < count; ++j) {
      sizes.push_back(i == divided ? inner_sizes[j] : outer_sizes[i]);
      parts.push_back(source.outputs[i == divided ? j : i]);
    }
  }
  std::vector<std::string> names;
  for (const Value* part : parts) names.push_back(part->name);
  Node* split =
      graph.add_node("Split", {outer.inputs[0], add_int_constant(graph, "split", sizes)}, names,
                     make_attributes({{"axis", static_cast<int64_t>(axis)}}), "", &outer);
  (void)context.types.infer(*split);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] != inner.inputs[0]) replace_value(parts[i], split->outputs[i]);
  }
  erase_if_dead(&inner);
}

}  // namespace

Result<bool> fuse_splits(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Split", [&](Graph& owner, Node& node) -> Result<bool> {
    Node* outer = producer(node.input(0), "Split");
    if (outer == nullptr || outer->graph != &owner || !has_single_use(node.inputs[0])) return false;
    const auto axis = axis_of(node);
    if (!axis || axis != axis_of(*outer)) return false;
    const auto outer_sizes = part_sizes(*outer, *axis), inner_sizes = part_sizes(node, *axis);
    if (!outer_sizes || !inner_sizes || !context.allow(node)) return false;
    merge(context, owner, *outer, node, *axis, *outer_sizes, *inner_sizes);
    return true;
  });
}

}  // namespace edgewright
