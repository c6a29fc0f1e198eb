#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace edgewright {

struct NcnnOptions {
  bool half_weights = false;  // weights are stored in float16
};

// Whether the writer has a form for the node (ai.onnx, canonical opset, types inferred, shapes
// fixed).
bool ncnn_has(const Node& node);

// Writes ncnn's text parameters to PATH (.param) and the weights beside it (.bin). ncnn's blobs
// have at most four axes and no batch: one axis of length 1, the first, is left out of every value,
// inputs and outputs included (docs/formats/ncnn.md). Returns both paths. The same graph gives the
// same bytes. kUnsupported naming the node or value that has no form.
Result<std::vector<std::string>> export_ncnn(const Model& model, const std::string& path,
                                             const NcnnOptions& options = {});

}  // namespace edgewright
