// Before: y... = If(constant condition).      After: the nodes of the chosen branch, in place.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// The results stand where the outputs of the If stood. A result that cannot take the place of a
// graph output (an input, a constant, a captured value) goes through an Identity.
void hand_over(PassContext& context, Graph& graph, Node& node, std::vector<Value*> results) {
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Value* output = node.outputs[i];
    if (output == nullptr) continue;
    if (!replace_value(output, results[i])) {
      Node* copy = insert_node(context, graph, &node, "Identity", {results[i]}, output->name);
      replace_value(output, copy->outputs[0]);
    }
  }
}

}  // namespace

Result<bool> fold_if(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "If", [&](Graph& owner, Node& node) -> Result<bool> {
    const auto condition = scalar_constant(node.input(0));
    if (node.domain != "" || !condition) return false;
    const Graph* branch = node.subgraph(*condition != 0 ? "then_branch" : "else_branch");
    if (branch == nullptr || branch->outputs().size() < node.outputs.size()) return false;
    if (!context.allow(node)) return false;
    hand_over(context, owner, node, inline_graph(*branch, {}, owner, &node));
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
