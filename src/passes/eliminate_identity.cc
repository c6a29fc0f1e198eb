// Before: y = Identity(x).            After: x in place of y.
// Conditions: no graph output would lose its name.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> eliminate_identity(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Identity", [&](Graph&, Node& node) -> Result<bool> {
    Value* from = node.output(0);
    Value* to = node.input(0);
    if (from == nullptr || to == nullptr || !can_replace(from, to)) return false;
    if (!context.allow(node)) return false;
    replace_value(from, to);
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
