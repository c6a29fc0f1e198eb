// Before: a Transpose that only moves axes of one element, before or after an operator that only
// reshapes.        After: a Reshape, which then merges with it.
// Conditions: known dimensions, at most one of the result unknown.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

bool only_reshapes(const Node* node) {
  return node != nullptr && node->domain == "" &&
         (node->op == "Reshape" || node->op == "Flatten" || node->op == "Squeeze" ||
          node->op == "Unsqueeze");
}

bool moves_single_elements_only(const Shape& shape, const std::vector<int64_t>& permutation) {
  int64_t last = -1;
  for (const int64_t axis : permutation) {
    if (shape[static_cast<size_t>(axis)].value == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

bool has_reshaping_neighbour(const Node& node) {
  if (only_reshapes(node.inputs[0]->producer)) return true;
  return std::ranges::any_of(node.outputs[0]->uses,
                             [](const Use& use) { return only_reshapes(use.node); });
}

}  // namespace

Result<bool> rewrite_transpose_to_reshape(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Transpose", [&](Graph& owner, Node& node) -> Result<bool> {
    const auto rank = rank_of(node.input(0));
    if (!rank || !rank_of(node.output(0)) || !has_reshaping_neighbour(node)) return false;
    const auto permutation = permutation_of(node, *rank);
    if (!moves_single_elements_only(*node.inputs[0]->type.shape, permutation)) return false;
    std::vector<int64_t> target;
    for (const Dim& dim : *node.outputs[0]->type.shape) {
      if (dim.value == 0) return false;
      target.push_back(dim.is_known() ? dim.value : -1);
    }
    if (std::ranges::count(target, -1) > 1 || !context.allow(node)) return false;
    replace_node(context, &node, "Reshape",
                 {node.inputs[0], add_int_constant(owner, "shape", target)});
    return true;
  });
}

}  // namespace edgewright
