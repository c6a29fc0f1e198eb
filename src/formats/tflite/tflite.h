#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace edgewright {

struct TfliteOptions {
  // float32 constants of 32 elements and more are stored in float16 behind DEQUANTIZE, as far as
  // their numbers fit.
  bool half_weights = false;
};

// Whether the writer has a form for the node (ai.onnx, canonical opset, shapes fixed, types
// inferred).
bool tflite_has(const Node& node);

// Writes a TFLite model (schema version 3). Inputs and outputs keep their shapes and order;
// convolutions and pooling run in NHWC, with transposes only where the layout changes. Layers
// between DequantizeLinear and QuantizeLinear become int8 operators with int32 biases; integer
// weights without rounded activations become dynamic-range operators. Returns the path. The same
// graph gives the same bytes. kUnsupported naming the node that has no form, or for a model of more
// than 2 GiB.
Result<std::vector<std::string>> export_tflite(const Model& model, const std::string& path,
                                               const TfliteOptions& options = {});

// Reads a TFLite model of one subgraph as ai.onnx operators; layouts become Transpose nodes,
// quantised tensors QuantizeLinear and DequantizeLinear. Constants point into the mapped file.
// kBadInput for a malformed or hostile file, kUnsupported naming an operator that has no
// counterpart. Types must be inferred afterwards.
Result<Model> import_tflite(const std::string& path);

}  // namespace edgewright
