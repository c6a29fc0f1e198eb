#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "tensor/datum.h"

namespace edgewright {

// Bounds for models that compute without end.
struct InterpreterLimits {
  int64_t loop_iterations = int64_t{1} << 24;
  int nesting = 64;
};

// Runs graphs node by node with the reference kernels: the specification that everything else is
// compared to, and the evaluator of constant folding. Not tuned.
class Interpreter : public Evaluator {
 public:
  explicit Interpreter(InterpreterLimits limits = {}) : limits_(limits) {}

  // Called with every value that a node of the outermost graph made.
  using Observer = std::function<void(const Value& value, const Datum& datum)>;

  // Runs a graph on inputs in the order of graph.inputs() (constants listed as inputs may be kNone).
  // Fails with kUnsupported naming node and operator when a kernel is missing, with kBadInput when
  // shapes or types contradict.
  Result<std::vector<Datum>> run(const Graph& graph, std::span<const Datum> inputs,
                                 const Observer& observer = nullptr);

  Result<std::vector<Tensor>> evaluate(const Node& node,
                                       std::span<const Tensor* const> inputs) override;

 private:
  InterpreterLimits limits_;
};

}  // namespace edgewright
