// Before: Concat(Transpose(a), Transpose(b), ...), all by one permutation p, on axis k.
// After: Transpose(Concat(a, b, ...) on axis p[k]).
// Conditions: the transposed parts are used here only.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> rewrite_transposed_concat(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Concat", [&](Graph& owner, Node& node) -> Result<bool> {
    const auto rank = rank_of(node.output(0));
    if (!rank || node.domain != "" || node.inputs.size() < 2) return false;
    const auto axis = normalised_axes({node.attributes.get_int("axis", 0)}, *rank);
    std::vector<int64_t> permutation;
    std::vector<Value*> parts;
    for (const Value* input : node.inputs) {
      const Node* transpose = producer(input, "Transpose");
      if (transpose == nullptr || transpose->graph != &owner || !has_single_use(input))
        return false;
      const auto own = permutation_of(*transpose, *rank);
      if (!permutation.empty() && own != permutation) return false;
      permutation = own;
      parts.push_back(transpose->inputs[0]);
    }
    if (!axis || !context.allow(node)) return false;
    const int64_t moved_axis = permutation[static_cast<size_t>(axis->front())];
    Node* joined = insert_node(context, owner, &node, "Concat", parts, node.outputs[0]->name,
                               make_attributes({{"axis", moved_axis}}));
    joined->name = node.name;
    replace_node(context, &node, "Transpose", {joined->outputs[0]},
                 make_attributes({{"perm", permutation}}));
    return true;
  });
}

}  // namespace edgewright
