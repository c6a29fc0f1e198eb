#pragma once

#include "edgewright/verify.h"
#include "graph/graph.h"
#include "verify/compare.h"

namespace edgewright {

// Fills the outputs, layers and verdict of a report from a comparison.
void add_comparison(const Comparison& comparison, const CompareOptions& options,
                    VerifyReport& report);
CompareOptions compare_options(const VerifyOptions& options);

// Seeded samples for the inputs of a graph that are no constants.
Result<std::vector<std::vector<Datum>>> seeded_samples(const Graph& graph,
                                                       const VerifyOptions& options);

}  // namespace edgewright
