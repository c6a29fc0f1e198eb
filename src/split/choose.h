#pragma once

#include <optional>
#include <string>
#include <vector>

#include "split/problem.h"
#include "split/solve.h"

namespace edgewright {

// What a placement must keep to; absent: no bound.
struct SplitLimits {
  std::optional<double> device_weight_bytes, device_energy_mj, server_us, sent_bytes, price,
      latency_us;
};

struct SplitGoal {
  SplitObjective objective = SplitObjective::kLatency;
  SplitLimits limits;
};

struct SplitCandidate {
  Placement placement;
  std::string cut;
  SplitCost cost;
  std::vector<std::string> broken_limits;  // in words; empty when all are kept
};

// How a placement was found.
struct SplitChoice {
  SplitCandidate best;
  // The best that sends other tensors than `best` does; absent when there is only one way.
  std::optional<SplitCandidate> runner_up;
  // No placement that keeps the limits is better than this (latency only; 0 when not known).
  double lower_bound_us = 0;
  bool is_exact = true;  // false: the limits made it a hard problem, see lower_bound_us
};

// The figure that the objective makes small.
double objective_us(SplitObjective objective, const SplitCost& cost);

// Latency without limits: exact on any graph, the runner-up too. Throughput: exact on chains, and
// otherwise the best of linear cuts and of minimum cuts under many weights. Limits: the problem is
// then as hard as a knapsack; a Lagrangian search over minimum cuts and every linear cut give the
// answer and a bound on what it may lose. When nothing keeps the limits, the candidate that comes
// nearest is returned with its broken limits.
Result<SplitChoice> choose_split(const SplitProblem& problem, const SplitGoal& goal);

}  // namespace edgewright
