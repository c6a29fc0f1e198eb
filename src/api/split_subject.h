#pragma once

#include <optional>
#include <string>
#include <vector>

#include "device/link.h"
#include "device/link_trace.h"
#include "edgewright/split.h"
#include "graph/graph.h"
#include "split/problem.h"
#include "split/work.h"

namespace edgewright {

// What is to be cut, from the options of a command.
struct SplitSubject {
  SplitProblem problem;
  std::optional<Model> model;  // when it is one; `graph_work` belongs to it
  std::optional<GraphWork> graph_work;
  std::optional<Link> link;         // of the first hop, when one was named
  std::optional<LinkTrace> uplink;  // when it is a recorded one
  std::vector<std::string> assumptions, warnings;
};

// "SPEED@http://HOST:PORT" (or grpc, https, grpcs): the text before the address, and the address
// (empty where there is none).
struct AddressedText {
  std::string text, url;
};
AddressedText without_address(const std::string& text);

Result<SplitSubject> split_subject(const SplitOptions& options);
// The model as it is cut: standard operators, optimised, shapes known.
Result<Model> model_to_cut(const std::string& path, const InputShapes& shapes);
// Adds the name and shape of every input. kUnsupported where a shape is open.
Status add_fixed_inputs(const Graph& graph, std::vector<std::string>& names,
                        std::vector<Dims>& dims);

}  // namespace edgewright
