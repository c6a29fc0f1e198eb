#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/interpreter.h"

namespace edgewright {

// One activation of a graph: the data of its values, and the frame around it for captures.
class InterpreterFrame {
 public:
  InterpreterFrame(Interpreter& interpreter, const Graph& graph, const InterpreterFrame* outer)
      : interpreter_(interpreter), graph_(graph), outer_(outer) {}

  Result<std::vector<Datum>> run(std::span<const Datum> inputs,
                                 const Interpreter::Observer& observer);
  Result<std::vector<Datum>> run_node(const Node& node);
  void set(const Value* value, Datum datum) { data_[value] = std::move(datum); }

 private:
  Status bind_inputs(std::span<const Datum> inputs);
  Datum lookup(const Value* value) const;
  Result<std::vector<Datum>> dispatch(const Node& node, std::span<const Datum> inputs);
  Result<std::vector<Datum>> run_kernel(const Node& node, std::span<const Datum> inputs);
  Result<std::vector<Datum>> run_expanded(const Node& node, std::span<const Datum> inputs);
  Result<std::vector<Datum>> run_bodies(const Node& node, std::span<const Datum> inputs);
  Result<std::vector<Datum>> run_body(const Graph& body, std::span<const Datum> inputs) const;
  void release_after(size_t node_index);
  void plan_releases();

  Interpreter& interpreter_;
  const Graph& graph_;
  const InterpreterFrame* outer_;
  std::unordered_map<const Value*, Datum> data_;
  std::vector<std::vector<const Value*>> releases_;  // per node index
};

}  // namespace edgewright
