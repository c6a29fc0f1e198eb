#pragma once

#include <map>
#include <string>

#include "graph/graph.h"

namespace edgewright {

using SymbolSizes = std::map<std::string, int64_t>;

// The sizes that given input shapes mean for the symbols of a graph. kUsage when a name is no
// input, or a shape contradicts the declared one or another input's.
Result<SymbolSizes> bind_symbols(const Graph& graph, const std::map<std::string, Dims>& shapes);

// Gives inputs fixed shapes; the same symbols become numbers in every input, and the types of all
// other values are forgotten where they depend on shapes (infer them again).
Status fix_shapes(Graph& graph, const std::map<std::string, Dims>& shapes);

}  // namespace edgewright
