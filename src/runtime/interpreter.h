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

// Replaces a node whose operator is defined as a function by that function's body. Returns false
// when the operator is no function. formats/onnx has one.
using FunctionExpander = std::function<Result<bool>(Graph& graph, Node& node)>;

// Runs graphs node by node with the reference kernels: the specification that everything else is
// compared to, and the evaluator of constant folding. Not tuned. Not for several threads at once.
class Interpreter : public Evaluator {
 public:
  explicit Interpreter(FunctionExpander expander = nullptr, InterpreterLimits limits = {})
      : expander_(std::move(expander)), limits_(limits) {}

  // Called with every value that a node of the outermost graph made.
  using Observer = std::function<void(const Value& value, const Datum& datum)>;

  // Runs a graph on inputs in the order of graph.inputs(); kNone takes the constant that the input
  // has as default. Fails with kUnsupported naming node and operator when a kernel is missing, with
  // kBadInput when shapes or types contradict.
  Result<std::vector<Datum>> run(const Graph& graph, std::span<const Datum> inputs,
                                 const Observer& observer = nullptr);
  // One node on the data of its inputs (its subgraphs must capture constants only).
  Result<std::vector<Datum>> run_node(const Node& node, std::span<const Datum> inputs);

  Result<std::vector<Tensor>> evaluate(const Node& node,
                                       std::span<const Tensor* const> inputs) override;

 private:
  friend class InterpreterFrame;
  FunctionExpander expander_;
  InterpreterLimits limits_;
  int depth_ = 0;
};

}  // namespace edgewright
