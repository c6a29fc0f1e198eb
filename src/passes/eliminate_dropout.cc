// Before: y, mask = Dropout(x, ratio, training).      After: x in place of y.
// Conditions: training is absent or the constant false, or the ratio is the constant 0; the mask is
// unused.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> eliminate_dropout(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Dropout", [&](Graph&, Node& node) -> Result<bool> {
    const Value* mask = node.output(1);
    if (node.domain != "" || node.output(0) == nullptr) return false;
    if (mask != nullptr && (!mask->uses.empty() || mask->is_graph_output())) return false;
    const bool inference = node.input(2) == nullptr || scalar_constant(node.input(2)) == 0.0;
    if (!inference && scalar_constant(node.input(1)) != 0.0) return false;
    if (!can_replace(node.outputs[0], node.input(0)) || !context.allow(node)) return false;
    replace_value(node.outputs[0], node.inputs[0]);
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
