#pragma once

#include <string>
#include <vector>

#include "edgewright/session.h"
#include "graph/graph.h"

namespace edgewright {

// Layers of one kind whose zeros some kernel can leave out, as this machine measured them.
struct SparseLayers {
  std::string layer;                   // operator and shapes
  int64_t count = 0, wins = 0;         // layers of that kind; those that are quicker sparse
  std::string sparse, dense;           // the quickest kernel of either sort, of the last one
  double sparse_us = 0, dense_us = 0;  // of all of them together
  double chosen_us = 0;
};

// Makes the plan of a graph with fixed shapes as the engine does and looks at every layer for which
// a kernel for sparse weights stands beside the dense ones.
Result<std::vector<SparseLayers>> measure_sparse_layers(const Graph& graph,
                                                        const InferenceOptions& options);

}  // namespace edgewright
