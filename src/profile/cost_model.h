#pragma once

#include <span>
#include <string>
#include <vector>

#include "profile/roofline.h"

namespace edgewright {

// What one node (or step of a plan) does and how long it takes.
struct NodeCost {
  std::string name;  // the node's; its first output's where it has none
  std::string op;    // "Conv", "edgewright::Conv2d"
  WorkKind kind = WorkKind::kOther;
  int64_t multiply_adds = 0, flops = 0;
  int64_t bytes_read = 0;  // weights included
  int64_t weight_bytes = 0;
  int64_t bytes_written = 0;
  int64_t output_bytes = 0;  // of all outputs together: what a cut behind the node would send
  double time_us = 0;
  bool is_measured = false;  // false: time_us is modelled
  bool complete = true;      // false: a shape that counts is not known; the figures are a floor
};

// Time of one operation from the roofs: launch, plus the larger of compute (at the usual efficiency
// of its kind) and the slowest level of memory, plus the synchronisation of its threads.
double predict_us(const Roofline& roofline, const Work& work);

// Every node of the graph in order, subgraphs left out, with modelled times.
std::vector<NodeCost> predict(const Graph& graph, const Roofs& roofs, int threads = 1);
// The same on a device as data; kUnsupported when it states no peaks or no bandwidth.
Result<std::vector<NodeCost>> predict(const Graph& graph, const Device& device, int threads = 1);
// Every step of the plan with modelled times, or with times that were measured (one per step).
std::vector<NodeCost> predict(const Plan& plan, const Roofs& roofs, int threads = 1);
std::vector<NodeCost> measured_costs(const Plan& plan, std::span<const double> step_us);

double total_us(std::span<const NodeCost> costs);

}  // namespace edgewright
