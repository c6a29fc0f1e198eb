#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace edgewright {

// What TensorRT wants beside or in an ONNX model (docs/formats/tensorrt.md).

// Brings explicit quantisation into TensorRT's form: weights as float32 behind QuantizeLinear and
// DequantizeLinear, biases in float32. kUnsupported naming the node for what TensorRT refuses: zero
// points other than 0 and types other than int8. Types must be inferred again.
Status place_tensorrt_quantization(Graph& graph);

// The INT8 calibration cache of the values that the graph rounds: for the same model in float32,
// where TensorRT chooses itself what runs in int8. Empty when the graph rounds nothing.
std::string tensorrt_calibration_cache(const Graph& graph);

struct TensorrtCommand {
  bool half = false;  // --fp16
  // Nodes that need a plugin, one a line of the remarks.
  std::vector<const Node*> plugin_nodes;
};
// A shell script that builds an engine of the model beside it with trtexec: precisions, shape
// profiles of open dimensions, plugins.
std::string tensorrt_command(const Graph& graph, const TensorrtCommand& command);

// The C++ source of a plugin (IPluginV3) for an operator as this node uses it; what it computes is
// left to its author.
std::string tensorrt_plugin_skeleton(const Node& node);

}  // namespace edgewright
