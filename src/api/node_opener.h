#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "edgewright/convert.h"
#include "edgewright/deploy.h"
#include "graph/graph.h"
#include "profile/roofline.h"
#include "targets/check.h"
#include "targets/gelu.h"

namespace edgewright {

// What a GELU may become where the target has none: the error that is allowed, and between which
// numbers its inputs lie.
struct GeluLimits {
  struct Range {
    double low = -8, high = 8;
  };
  double max_error = 1e-3;
  Range assumed;                          // of inputs that nobody observed
  std::map<std::string, Range> observed;  // by the name of the value that is read

  const Range& range_of(const Node& gelu) const;
};

// Opens operators into others that a target has: by their ONNX definitions, and GELU in the
// cheapest of its three forms that the target has and whose error, over the range of its input,
// stays within what is allowed. Once for every kind of node.
class NodeOpener {
 public:
  // All must outlive the opener. `model` is typed; launch_us is the start of one operation.
  NodeOpener(const Model& model, const Target& target, const Roofs& roofs, double launch_us,
             const GeluLimits& gelu)
      : model_(model), target_(target), roofs_(roofs), launch_us_(launch_us), gelu_(gelu) {}

  // What the node becomes. The node is one of the model's main graph.
  const Opened& opened(const Node& node) { return entry_of(node).opened; }
  // In which form, when the node is a GELU that can be opened.
  GeluForm gelu_form(const Node& node) { return entry_of(node).form; }

  // Opens, in a model equal to the one given above, every node that `placement` (of its nodes, in
  // order) calls "decompose", or that the target has not and a file of this opset cannot hold,
  // where it can be opened, and puts casts around those that it calls "cast" where the target asks
  // for them. Appends what was done. Returns whether a GELU took a form that is not its own.
  Result<bool> apply(Model& model, const TargetReport& report, int file_opset,
                     std::vector<Choice>& choices);

 private:
  struct Entry {
    Opened opened;
    GeluForm form = GeluForm::kErf;
  };
  const Entry& entry_of(const Node& node);
  Entry open(const Node& node) const;
  Entry open_in(const Node& node, GeluForm form) const;
  std::vector<GeluForm> forms_of(const Node& node) const;
  bool runs_there(const Node& node) const;
  bool open_rest(Model& model, const std::set<std::string>& kept) const;
  Model alone(const Node& node) const;
  double cost_of(const Graph& graph) const;

  const Model& model_;
  const Target& target_;
  const Roofs& roofs_;
  const double launch_us_;
  const GeluLimits& gelu_;
  std::map<std::string, Entry> known_;
};

// The smallest and the largest number that every GELU of a typed graph reads, over the samples of
// DATA; by the name of the value.
Result<std::map<std::string, GeluLimits::Range>> observe_gelu_ranges(const Graph& graph,
                                                                     const std::string& data,
                                                                     int threads);

}  // namespace edgewright
