#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/function_ref.h"
#include "graph/graph.h"

namespace edgewright {

// Runs graphs on the samples of DATA. Declared here, made above: this room knows no engine.
class SampleRunner {
 public:
  virtual ~SampleRunner() = default;
  virtual size_t sample_count() const = 0;

  // The tensors of one sample, in the order of the graph's outputs; valid during the call only.
  using Observe = FunctionRef<Status(size_t sample, std::span<const Tensor> outputs)>;
  // Runs a graph that has the inputs of the model on every listed sample, in that order. The graph
  // is not changed.
  virtual Status run(const Graph& graph, std::span<const size_t> samples, Observe observe) = 0;
};

// How long a graph takes on the machine that it is meant for.
struct Latency {
  double median_us = 0;
  // Every operator ran on a kernel made for speed; false: some ran on the plain reference loops, so
  // the time says nothing about the operator.
  bool tuned = true;
};

class LatencyMeter {
 public:
  virtual ~LatencyMeter() = default;
  // Of graphs with known input shapes, measured in turns: one run of each, again and again.
  virtual Result<std::vector<Latency>> measure(std::span<const Graph* const> graphs) = 0;
};

}  // namespace edgewright
