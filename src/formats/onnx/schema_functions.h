#pragma once

#include "graph/graph.h"

namespace edgewright {

// Replaces an operator that ONNX defines by other operators with that definition, of the canonical
// opset. False, with nothing changed, when it has none. The node is gone when the result is true.
Result<bool> expand_function(Graph& graph, Node& node);
// Whether expand_function() knows a body for such a node.
bool has_function_body(const Node& node);
// The opset that brought an operator of ai.onnx; 0 for one that there is not.
int first_opset(const std::string& op);
// Whether two runs on equal inputs give equal outputs; operators without a schema are not known to.
bool is_deterministic(const Node& node);

}  // namespace edgewright
