// Before: Split of an axis into parts of one, each squeezed on that axis.
// After: one Gather per part, with a scalar index.
// Conditions: the parts are used by these Squeezes only. One node less.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// The Squeeze that alone uses the part and removes just this axis, or null.
Node* squeeze_of(const Value* part, int64_t axis, size_t rank) {
  const auto dims = rank_of(part);
  Node* squeeze = part == nullptr ? nullptr : single_user(part);
  if (squeeze == nullptr || !squeeze->is("Squeeze") || !dims) return nullptr;
  if ((*part->type.shape)[static_cast<size_t>(axis)].value != 1) return nullptr;
  const auto given = int_constant(squeeze->input(1));
  if (!given) return nullptr;
  const auto axes = normalised_axes(*given, rank);
  return axes && *axes == std::vector<int64_t>{axis} ? squeeze : nullptr;
}

}  // namespace

Result<bool> rewrite_split_squeeze(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Split", [&](Graph& owner, Node& node) -> Result<bool> {
    const auto rank = rank_of(node.input(0));
    if (node.domain != "" || !rank) return false;
    const auto axes = normalised_axes({node.attributes.get_int("axis", 0)}, *rank);
    if (!axes) return false;
    std::vector<Node*> squeezes;
    for (const Value* part : node.outputs) {
      squeezes.push_back(squeeze_of(part, axes->front(), *rank));
      if (squeezes.back() == nullptr || squeezes.back()->graph != &owner) return false;
    }
    if (!context.allow(node)) return false;
    for (size_t i = 0; i < squeezes.size(); ++i) {
      Value* index = owner.add_constant("index", Tensor::scalar(static_cast<int64_t>(i)));
      Value* output = squeezes[i]->outputs[0];
      Node* gather = insert_node(context, owner, &node, "Gather", {node.inputs[0], index},
                                 output->name, make_attributes({{"axis", axes->front()}}));
      replace_value(output, gather->outputs[0]);
    }
    return true;
  });
}

}  // namespace edgewright
