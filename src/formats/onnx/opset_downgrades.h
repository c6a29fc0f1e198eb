#pragma once

#include <span>
#include <string_view>

#include "graph/graph.h"

namespace edgewright::onnx_io {

// Gives a node of the meaning of `version` that of the version before. It may insert others around
// it. A row that refuses has changed nothing.
struct DowngradeAdapter {
  std::string_view domain;
  std::string_view op;
  int version;
  Status (*adapt)(Node*& node);
};

// Rows of an operator in falling versions.
std::span<const DowngradeAdapter> downgrade_adapters();

// Brings the ai.onnx nodes of a canonical model down to `opset`, and raises the versions of other
// domains to what their nodes need. Operators that the opset does not have are replaced by their
// function bodies; `onnx_runtime` keeps those that ONNX Runtime has at any opset.
// kUnsupported naming node and reason where nothing helps.
Status downgrade(Model& model, int opset, bool onnx_runtime);

}  // namespace edgewright::onnx_io
