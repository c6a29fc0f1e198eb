#pragma once

#include <utility>
#include <vector>

#include "split/problem.h"

namespace edgewright {

// Tiers that a layer is allowed on, both ends included.
struct TierRange {
  size_t first = 0, last = 0;
};
using TierRanges = std::vector<std::pair<size_t, TierRange>>;  // by layer; at most 4,000

// The placement of least latency, exactly: a minimum cut per number of tiers in use. Each layer has
// one vertex a hop, the ones of a layer are chained as in Ishikawa's construction ("Exact
// optimization for Markov random fields with convex priors", PAMI 2003); a tensor of several
// consumers has a vertex of its own, so that it is sent once; arcs of infinite capacity forbid the
// way back. Ties leave layers on the device. kCheckFailed when the ranges exclude each other.
Result<Placement> minimum_cut(const SplitProblem& problem, const TierRanges& ranges = {});

enum class SplitObjective : uint8_t { kLatency, kThroughput };

// The best placement among those that cut the layers in their order, by dynamic programming;
// exact for chains. kLatency: the sum of all times; kThroughput: the largest of them.
Placement best_linear_placement(const SplitProblem& problem, SplitObjective objective);
// The end of the device's part in every two-tier linear placement, 1 (input only) to all layers.
std::vector<SplitCost> linear_costs(const SplitProblem& problem);

// Two rules of thumb from the literature, to compare with: both look at linear two-tier cuts only.
// Bottleneck first: among the few positions where least is sent, the quickest.
Placement bottleneck_first(const SplitProblem& problem);
// Progressive: from sending the input, one layer after the other moves to the device while that
// helps; stops at the first that does not.
Placement progressive(const SplitProblem& problem);

}  // namespace edgewright
