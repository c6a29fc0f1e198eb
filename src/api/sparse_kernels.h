#pragma once

#include <string>
#include <vector>

#include "edgewright/session.h"
#include "graph/graph.h"

namespace edgewright {

// A kind of layer whose zeros some kernel can leave out, as this machine measured it.
struct SparseLayer {
  std::string layer;          // operator and shapes
  int64_t count = 0;          // layers of that kind
  std::string sparse, dense;  // the quickest kernel of either sort
  double sparse_us = 0, dense_us = 0;

  bool wins() const { return sparse_us < dense_us; }
};

// Makes the plan of a graph with fixed shapes as the engine does and looks at every layer for which
// a kernel for sparse weights stands beside the dense ones.
Result<std::vector<SparseLayer>> measure_sparse_layers(const Graph& graph,
                                                       const InferenceOptions& options);

}  // namespace edgewright
