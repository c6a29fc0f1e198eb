#pragma once

#include <onnx/onnx_pb.h>

#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "graph/graph.h"

namespace edgewright::onnx_io {

// Turns graphs into messages. Names differ from those of all enclosing graphs, as ONNX
// wants them.
class GraphExporter {
 public:
  // Everything but the constants of the outermost graph, which may be too large for a message.
  void fill_without_constants(const Graph& graph, onnx::GraphProto& proto);
  // A node as it stands in its graph; its subgraphs are filled with their constants. Values that
  // have not been exported yet get their own names.
  void fill_node(const Node& node, onnx::NodeProto& proto);
  const std::string& name_of(const Value& value);
  const std::set<std::string>& domains() const { return domains_; }

 private:
  void name_values(const Graph& graph);
  void fill_outputs(const Graph& graph, onnx::GraphProto& proto);
  void fill_subgraph(const Graph& graph, onnx::GraphProto& proto);

  std::unordered_map<const Value*, std::string> names_;
  std::unordered_set<std::string> taken_;
  std::set<std::string> domains_;
};

}  // namespace edgewright::onnx_io
