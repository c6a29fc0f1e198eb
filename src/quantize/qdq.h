#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "quantize/layer.h"
#include "quantize/scheme.h"

namespace edgewright {

// Everything that was decided about a model's integers. Values and layers by name, so that it holds
// for every copy of the graph.
struct QuantDecision {
  Scheme scheme;
  std::map<std::string, QuantParams> activations;  // value -> how it is rounded
  std::set<std::string> whole;                     // of them those that every reader takes rounded
  std::set<std::string> layers;                    // nodes that run in integers
  // Added to the bias of a layer, one number per output channel.
  std::map<std::string, std::vector<float>> bias_shift;
  // Weights that stand in for rounding to nearest: already on the grid of quantize_weights().
  std::map<std::string, Tensor> weights;
};

enum class QdqForm : uint8_t {
  // QuantizeLinear and DequantizeLinear around the layers, weights as int8 and biases as int32
  // constants behind DequantizeLinear: what ONNX Runtime, OpenVINO and our plans run in integers.
  kNodes,
  // The same numbers in float32 arithmetic (Mul, Round, Clip, Mul; rounded constants): runs quickly
  // everywhere, for measuring what rounding does.
  kSimulated,
};

// Makes the main graph's layers of the decision read rounded inputs and weights. The graph's types
// must be inferred again. Layers that the graph lacks are ignored.
Status insert_qdq(Graph& graph, const QuantDecision& decision, QdqForm form);

// Makes the constant weights of the main graph's layers int8 behind DequantizeLinear and leaves the
// rest in float. Returns the layers.
std::set<std::string> insert_integer_weights(Graph& graph, const Scheme& scheme,
                                             const std::set<std::string>& excluded);

// The rounded form of one value: QuantizeLinear and DequantizeLinear, or its simulation.
Value* round_value(Graph& graph, Value* value, const QuantParams& params, QdqForm form,
                   Node* before);
// Weights and bias of a layer, rounded for an input of this scale.
struct RoundedLayer {
  RoundedWeights weights;
  std::vector<int32_t> bias;  // empty: none, or it stays in float
};
RoundedLayer round_layer(const QuantLayer& layer, const QuantDecision& decision, float input_scale);

// The bias of a layer with a shift per output channel: the constant that takes its place. A layer
// without a bias gets one where its operator has one (Conv, Gemm); null when it has none (MatMul).
Value* shifted_bias(Graph& graph, const QuantLayer& layer, const std::vector<float>& shift);

}  // namespace edgewright
