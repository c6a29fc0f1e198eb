// Before: two of Reshape, Flatten, Squeeze, Unsqueeze in a row.       After: one Reshape.
// Conditions: of the final shape at most one dimension is unknown, and none is 0. Each of them
// keeps the elements in order, so only the last shape counts. Two Unsqueeze in a row become one
// Unsqueeze. Likewise Squeeze(Unsqueeze(x, a), a) and Unsqueeze(Squeeze(x, a), a) become x,
// whatever the shape.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

bool only_reshapes(const Node& node) {
  return node.domain == "" && (node.op == "Reshape" || node.op == "Flatten" ||
                               node.op == "Squeeze" || node.op == "Unsqueeze");
}

std::optional<std::vector<int64_t>> target_of(const Value* output) {
  if (!rank_of(output)) return std::nullopt;
  std::vector<int64_t> target;
  for (const Dim& dim : *output->type.shape) {
    if (dim.value == 0) return std::nullopt;
    target.push_back(dim.is_known() ? dim.value : -1);
  }
  if (std::ranges::count(target, -1) > 1) return std::nullopt;
  return target;
}

// The node undoes its producer: same constant axes in the other direction.
bool undoes(const Node& node, const Node& inner) {
  const bool opposite = (node.op == "Squeeze" && inner.op == "Unsqueeze") ||
                        (node.op == "Unsqueeze" && inner.op == "Squeeze");
  if (!opposite) return false;
  const auto outer_axes = int_constant(node.input(1)), inner_axes = int_constant(inner.input(1));
  return outer_axes && outer_axes == inner_axes;
}

// The axes of one Unsqueeze in place of two, counted in the final shape; empty when unknown.
std::optional<std::vector<int64_t>> joined_axes(const Node& node, const Node& inner) {
  const auto rank = rank_of(node.output(0)), inner_rank = rank_of(inner.output(0));
  auto outer_axes = int_constant(node.input(1)), inner_axes = int_constant(inner.input(1));
  if (node.op != "Unsqueeze" || inner.op != "Unsqueeze" || !rank || !inner_rank || !outer_axes ||
      !inner_axes) {
    return std::nullopt;
  }
  outer_axes = normalised_axes(*outer_axes, *rank);
  inner_axes = normalised_axes(*inner_axes, *inner_rank);
  if (!outer_axes || !inner_axes) return std::nullopt;
  std::vector<int64_t> joined = *outer_axes;
  int64_t place = 0;  // in the inner shape
  for (int64_t axis = 0; axis < static_cast<int64_t>(*rank); ++axis) {
    if (std::ranges::count(*outer_axes, axis) > 0) continue;
    if (std::ranges::count(*inner_axes, place++) > 0) joined.push_back(axis);
  }
  std::ranges::sort(joined);
  return joined;
}

}  // namespace

Result<bool> fuse_reshapes(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    if (!only_reshapes(node) || node.input(0) == nullptr) return false;
    Node* inner = node.inputs[0]->producer;
    if (inner == nullptr || inner->graph != &owner || !only_reshapes(*inner)) return false;
    Value* source = inner->inputs[0];
    if (undoes(node, *inner) && can_replace(node.outputs[0], source)) {
      if (!context.allow(node)) return false;
      replace_value(node.outputs[0], source);
      erase_if_dead(&node);
      return true;
    }
    if (const auto axes = joined_axes(node, *inner)) {
      if (!context.allow(node)) return false;
      replace_node(context, &node, "Unsqueeze", {source, add_int_constant(owner, "axes", *axes)});
      return true;
    }
    const auto target = target_of(node.output(0));
    if (!target || !context.allow(node)) return false;
    Value* shape = add_int_constant(owner, "shape", *target);
    replace_node(context, &node, "Reshape", {source, shape});
    return true;
  });
}

}  // namespace edgewright
