#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/progress.h"
#include "graph/graph.h"
#include "verify/difference.h"

namespace edgewright {

// A layer is what computes one value that both graphs hold under one name, from the nearest such
// values before it: one node, or all that was fused into it.
struct BisectedLayer {
  std::string name;      // of the value
  std::string node, op;  // what makes it in the candidate
  Difference local;      // of the layer alone, computed from the reference's own values
};

struct BisectResult {
  std::vector<BisectedLayer> layers;  // worst first; empty when nothing differs
  int64_t layers_compared = 0;
  int64_t model_runs = 0;
  bool restored = false;  // with these layers from the reference the outputs are within tolerance
};

// Runs a whole graph once on inputs in the order of graph.inputs(), constants left out.
using GraphRunner = std::function<Result<std::vector<Datum>>(std::unique_ptr<Graph> graph,
                                                             const std::vector<Datum>& inputs)>;

struct BisectOptions {
  Tolerance tolerance;
  Progress progress;
};

// The smallest set of layers, in order of their own error, that have to be computed as the
// reference does for the candidate's outputs to be within tolerance again. Each layer's own error
// comes from one run in which every layer reads the reference's values; then the length of the
// set is found by doubling and halving: at most 2*log2(layers) + 4 model runs in all.
Result<BisectResult> bisect(const Graph& reference, const Graph& candidate,
                            const std::vector<Datum>& inputs, const GraphRunner& run,
                            const BisectOptions& options);

}  // namespace edgewright
