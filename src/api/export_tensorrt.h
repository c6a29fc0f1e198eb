#pragma once

#include <string>
#include <vector>

#include "api/export_formats.h"
#include "graph/graph.h"

namespace edgewright {

// The newest opset that TensorRT 10 reads (src/targets/support/tensorrt.tsv).
inline constexpr int kTensorrtOpset = 20;

// Whether a node stays as it is: TensorRT runs it, or nobody can open it and it needs a plugin.
bool tensorrt_has(const Node& node);

// Writes the model as ONNX with explicit quantisation in TensorRT's form, and beside PATH, its
// ending replaced: .trtexec (a script that builds the engine), .cache (INT8 calibration, where the
// graph rounds) and .plugins (a skeleton for each operator that needs one). Returns every file.
Result<std::vector<std::string>> export_tensorrt(const Model& model, const std::string& path,
                                                 const ExportSettings& settings);

}  // namespace edgewright
