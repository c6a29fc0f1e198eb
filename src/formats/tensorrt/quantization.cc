#include <algorithm>
#include <bit>
#include <map>

#include "formats/tensorrt/tensorrt.h"
#include "graph/dequantized.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

bool is_quantization(const Node& node) {
  return node.is("QuantizeLinear") || node.is("DequantizeLinear");
}

Error refusal(const Node& node, std::string_view what) {
  return unsupported(
      "node '{}' ({}): {}, TensorRT takes int8 with zero points 0; quantise with --quantize "
      "scheme=s8s8 --quantize activations=symmetric",
      node.name, node.op, what);
}

Status check_quantization(const Node& node) {
  const Value* integers = node.is("QuantizeLinear") ? node.output(0) : node.input(0);
  if (integers->type.dtype != DType::kInt8) {
    return refusal(node, fmt::format("its integers are {}", dtype_name(integers->type.dtype)));
  }
  if (node.input(2) == nullptr) return {};
  const Tensor* zero = node.constant_input(2);
  if (zero == nullptr) return refusal(node, "its zero point is no constant");
  EDGEWRIGHT_ASSIGN(const auto points, zero->to_int64s());
  for (const int64_t point : points) {
    if (point != 0) return refusal(node, fmt::format("its zero point is {}", point));
  }
  return {};
}

bool is_per_block(const Node& node) { return node.attributes.get_int("block_size", 0) != 0; }

Status place_constant(Graph& graph, Node& node) {
  if (is_per_block(node)) return refusal(node, "it has blocks of scales");
  const bool is_bias = node.inputs[0]->type.dtype == DType::kInt32;
  if (!is_bias) EDGEWRIGHT_TRY(check_quantization(node));
  if (!is_dequantized_constant(node)) return refusal(node, "its scale is no constant");
  EDGEWRIGHT_ASSIGN(Tensor numbers, dequantized(node));
  const std::string name = node.outputs[0]->name;
  if (is_bias) {
    graph.replace_uses(node.outputs[0], graph.add_constant(name, std::move(numbers)));
    graph.erase(&node);
    return {};
  }
  Value* weights = graph.add_constant(name + "_float", std::move(numbers));
  if (node.input(2) == nullptr) {
    // Without a zero point QuantizeLinear would make uint8.
    EDGEWRIGHT_ASSIGN(Tensor zero, Tensor::allocate(DType::kInt8, node.constant_input(1)->dims()));
    graph.set_input(&node, 2, graph.add_constant(name + "_zero", std::move(zero)));
  }
  std::vector<Value*> inputs = node.inputs;
  inputs[0] = weights;
  Node* quantize = graph.add_node("QuantizeLinear", std::move(inputs), {name + "_quantized"},
                                  node.attributes, "", &node);
  quantize->name = fmt::format("{}_quantize", node.name.empty() ? name : node.name);
  graph.set_input(&node, 0, quantize->outputs[0]);
  return {};
}

}  // namespace

Status place_tensorrt_quantization(Graph& graph) {
  for (Node* node : graph.node_list()) {
    if (!is_quantization(*node)) continue;
    if (node->is("DequantizeLinear") && node->constant_input(0) != nullptr) {
      EDGEWRIGHT_TRY(place_constant(graph, *node));
    } else {
      EDGEWRIGHT_TRY(check_quantization(*node));
    }
  }
  graph.remove_dead();
  return {};
}

std::string tensorrt_calibration_cache(const Graph& graph) {
  // The format is that of TensorRT's own calibrators: name and scale, a float32 in hexadecimal with
  // its highest byte first. The header names the release whose importer reads it.
  std::map<std::string, float> scales;
  for (const Node& node : graph.nodes()) {
    const Tensor* scale = node.constant_input(1);
    if (!node.is("QuantizeLinear") || node.inputs[0]->is_constant() || scale == nullptr) continue;
    if (scale->element_count() != 1) continue;
    scales[node.inputs[0]->name] =
        static_cast<float>(load_double(scale->dtype(), scale->bytes(), 0));
  }
  if (scales.empty()) return "";
  std::string text = "TRT-8601-EntropyCalibration2\n";
  for (const auto& [name, scale] : scales) {
    text += fmt::format("{}: {:08x}\n", name, std::bit_cast<uint32_t>(scale));
  }
  return text;
}

}  // namespace edgewright
