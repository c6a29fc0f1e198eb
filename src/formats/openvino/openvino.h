#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace edgewright {

struct OpenvinoOptions {
  // float32 constants of 32 elements and more are stored in float16 behind a Convert, as far as
  // their numbers fit.
  bool half_weights = false;
  // The cache of a decoder becomes states: an input past_key_values.X and the output present.X (or
  // past_X and present_X) of the same number become one variable, read and assigned.
  bool states = false;
};

// Whether the writer has a form for the node (ai.onnx, canonical opset, types inferred).
bool openvino_has(const Node& node);

// Writes OpenVINO IR version 11: PATH (xml) and the constants beside it, PATH with ".bin" for
// ".xml". Open dimensions stay open. QuantizeLinear with DequantizeLinear behind becomes
// FakeQuantize, integer weights stay integers behind Convert, Subtract and Multiply. Returns both
// paths. The same graph gives the same bytes. kUnsupported naming the node that has no form.
Result<std::vector<std::string>> export_openvino(const Model& model, const std::string& path,
                                                 const OpenvinoOptions& options = {});

// Reads IR versions 10 and 11 as ai.onnx operators; the .bin lies beside PATH. States become inputs
// and outputs. Constants point into the mapped file. kBadInput for a malformed or hostile file,
// kUnsupported naming a layer that has no counterpart. Types must be inferred afterwards.
Result<Model> import_openvino(const std::string& path);

}  // namespace edgewright
