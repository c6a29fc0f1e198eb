#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "edgewright/deploy.h"
#include "graph/graph.h"
#include "targets/support.h"

namespace edgewright {

// What a node becomes when it is opened into operators that the target has.
struct Opened {
  bool possible = false;   // into operators that are all native there
  double cost_factor = 1;  // time of the parts over the time of the whole
};

struct TargetCheck {
  // Times of every node of the graph, in its order, in microseconds.
  std::vector<double> accelerator_us, cpu_us;
  double copy_us_per_byte = 0;  // between the two memories
  double crossing_us = 0;       // synchronisation and alignment of one value
  // Asked for nodes that the target does not have as they are.
  std::function<Opened(const Node& node)> open;
  // Operators of the model as it came; native ones beyond these are the fusions' work.
  std::set<std::string> original_operators;
};

// The placement of every node of a graph whose types are known: the support table says what is
// possible, a minimum cut over times and transfers what is done.
TargetReport check_target(const Graph& graph, const Target& target, const TargetCheck& check);

}  // namespace edgewright
