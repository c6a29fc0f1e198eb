#pragma once

#include <span>
#include <string_view>

#include "formats/onnx/import_graph.h"
#include "graph/graph.h"

namespace edgewright::onnx_io {

// Brings a node that was written for a version below `version` to that version's meaning. It may
// replace the node (then it stores the new one) and insert others around it.
struct UpgradeAdapter {
  std::string_view domain;
  std::string_view op;
  int version;
  Status (*adapt)(Node*& node);
};

// Every change of meaning that is not a mere extension. Rows of an operator in rising versions.
std::span<const UpgradeAdapter> upgrade_adapters();

// Brings all nodes to the canonical opset, inferring types on the way, since some adapters need
// them. `opsets` are the model's, `special` those of single nodes. kUnsupported, naming the node,
// where an old meaning cannot be expressed.
Status upgrade(Graph& graph, const Opsets& opsets, const NodeOpsets& special);
// The same for the nodes from `first` to before `last`.
Status upgrade(Graph& graph, std::list<Node>::iterator first, std::list<Node>::iterator last,
               const Opsets& opsets, const NodeOpsets& special);

}  // namespace edgewright::onnx_io
