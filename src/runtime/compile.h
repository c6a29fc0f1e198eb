#pragma once

#include <memory>

#include "graph/graph.h"
#include "runtime/interpreter.h"
#include "runtime/plan.h"

namespace edgewright {

// Picks one of the implementations that accept a request; the list is never empty.
class ImplementationChooser {
 public:
  virtual ~ImplementationChooser() = default;
  virtual Result<const KernelImplementation*> choose(
      const KernelRequest& request, std::span<const KernelImplementation* const> candidates) = 0;
  // Asked once a whole graph has its implementations: true when, seen together, they should be
  // chosen again. The graph is then compiled anew and this is asked again.
  virtual bool reconsider() { return false; }
};

struct CompileOptions {
  int threads = 1;
  // Null: the first implementation in the table that accepts the request.
  ImplementationChooser* chooser = nullptr;
  // Opens nodes that no kernel runs; may be empty.
  FunctionExpander expander;
  // Off: every step is a reference kernel, for comparison.
  bool tuned_kernels = true;
};

// Makes a plan of a graph. Values whose types and shapes are known get fixed places; others (data-
// dependent shapes, strings, sequences) live on the heap. Inputs of the graph that have a constant
// are no inputs of the plan. The graph may be changed where functions are expanded.
// Fails with kUnsupported naming node and operator when nothing runs it.
Result<std::shared_ptr<const Plan>> compile(Graph& graph, const CompileOptions& options);

}  // namespace edgewright
