#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace edgewright {

struct CoremlOptions {
  bool half_weights = false;  // large float32 constants are stored in float16 behind a cast
};

// Whether the writer has a form for the node (ai.onnx, canonical opset, types inferred, shapes
// fixed).
bool coreml_has(const Node& node);

// Writes an ML program as a package, the folder PATH: Manifest.json, the specification (Model.proto
// and MIL.proto of coremltools, docs/formats/coreml.md) and the weights. int64 values become int32.
// The same graph gives the same bytes. Returns the folder. kUnsupported naming the node or value
// that has no form.
Result<std::vector<std::string>> export_coreml(const Model& model, const std::string& path,
                                               const CoremlOptions& options = {});

// Reads a package (docs/formats/coreml.md): ML programs of the operations that the writer has and
// some more. What Core ML holds as int32 stays int32. kBadInput with the place for a damaged
// package (an operation that Core ML has not is damage), kUnsupported naming operations that it has
// and that are not read, and models that are no ML programs.
Result<Model> import_coreml(const std::string& path);

}  // namespace edgewright
