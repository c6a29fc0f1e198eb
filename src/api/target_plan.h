#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api/node_opener.h"
#include "edgewright/deploy.h"
#include "graph/graph.h"
#include "targets/support.h"

namespace edgewright {

// The names of a model's operators, bodies included.
std::set<std::string> operators_of(const Graph& graph);

// What `targets check` says of models on one target, and the model that it speaks of.
class TargetPlanner {
 public:
  // kUsage for a target, hardware or device that nobody knows.
  static Result<TargetPlanner> create(const TargetOptions& options);

  const Target& target() const { return target_; }
  // Operators that ai.onnx has since a later opset than this are better left in their parts there:
  // the newest opset of all, or the last before Attention and its like, by which plan is quicker.
  // `model` is typed and as it came.
  Result<int> fusing_opset(const Model& model) const;

  // The placement of a typed graph's nodes.
  TargetReport check(const Model& model, const std::set<std::string>& original_operators,
                     const GeluLimits& gelu) const;
  // Opens in the model what the plan opens, and what a file of this opset cannot hold; appends what
  // was done. Returns whether a GELU took a form that is not its own.
  Result<bool> apply(Model& model, const std::set<std::string>& original_operators,
                     const GeluLimits& gelu, int file_opset, std::vector<Choice>& choices) const;
  // What the options say of GELU; with DATA, what its samples show.
  Result<GeluLimits> gelu_limits(const Graph& graph) const;

 private:
  TargetPlanner(Target target, TargetOptions options)
      : target_(std::move(target)), options_(std::move(options)) {}
  std::vector<double> times_of(const Graph& graph, const Roofs& roofs, double each_us) const;

  Target target_;
  TargetOptions options_;
  std::string cpu_text_, accelerator_text_;
  Roofs cpu_, accelerator_;
};

}  // namespace edgewright
