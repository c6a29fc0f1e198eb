#pragma once

#include "graph/graph.h"

namespace edgewright {

// Whether expand_function() knows a body for such a node.
bool has_function_body(const Node& node);
// Whether two runs on equal inputs give equal outputs; operators without a schema are not known to.
bool is_deterministic(const Node& node);

}  // namespace edgewright
