// Quantised models: ncnn's layers take floats, round them by themselves where their weights are in
// int8, and give floats. QuantizeLinear and DequantizeLinear only say where.
#include <algorithm>

#include "formats/ncnn/emit.h"
#include "formats/ncnn/quantized.h"
#include "graph/dequantized.h"

namespace edgewright::ncnn_format {
namespace {

bool all_zero(const Tensor* tensor) {
  if (tensor == nullptr) return true;
  const auto values = tensor->to_int64s();
  return values.ok() && std::ranges::all_of(*values, [](int64_t value) { return value == 0; });
}

// int8 around zero; without a zero point the integers' own type decides.
bool is_around_zero(const Node& node, DType integers) {
  if (node.attributes.get_int("block_size", 0) != 0 || integers != DType::kInt8) return false;
  const bool has_constants = node.constant_input(1) != nullptr &&
                             (node.input(2) == nullptr || node.constant_input(2) != nullptr);
  return has_constants && all_zero(node.constant_input(2));
}

std::optional<float> single_step(const Node& node) {
  const Tensor* scale = node.constant_input(1);
  if (scale == nullptr || scale->element_count() != 1 || scale->dtype() != DType::kFloat32) {
    return std::nullopt;
  }
  return scale->data<float>()[0];
}

const Node* producer(const Value* value, std::string_view op) {
  const Node* node = value == nullptr ? nullptr : value->producer;
  return node != nullptr && node->is(op) ? node : nullptr;
}

}  // namespace

Tensor known_numbers(const Value* value) {
  return value->is_constant() ? *value->constant : *dequantized(*value->producer);
}

std::optional<IntegerLayer> integer_layer(const Node& node, int64_t channel_axis) {
  const Node* input = producer(node.inputs[0], "DequantizeLinear");
  const Node* weights = producer(node.inputs[1], "DequantizeLinear");
  if (input == nullptr || weights == nullptr || !is_dequantized_constant(*weights)) return {};
  if (!is_around_zero(*input, input->inputs[0]->type.dtype)) return {};
  const Tensor& integers = *weights->constant_input(0);
  if (!is_around_zero(*weights, integers.dtype())) return {};
  const auto step = single_step(*input);
  const auto scales = weights->constant_input(1)->to_doubles();
  if (!step || !scales.ok()) return {};
  if (scales->size() > 1 && axis_of(*weights, 1, integers.rank()) != channel_axis) return {};
  IntegerLayer layer{integers, {}, 1 / *step};
  const auto channels = static_cast<size_t>(integers.dim(static_cast<size_t>(channel_axis)));
  for (size_t i = 0; i < channels; ++i) {
    layer.weight_scales.push_back(static_cast<float>(1 / (*scales)[scales->size() == 1 ? 0 : i]));
  }
  return layer;
}

bool rounds_around_zero(const Node& node) {
  const bool is_quantize = node.is("QuantizeLinear");
  const Value* integers = is_quantize ? node.outputs[0] : node.inputs[0];
  const auto step = single_step(node);
  if (!step || !is_around_zero(node, integers->type.dtype)) return false;
  if (!is_quantize) return producer(integers, "QuantizeLinear") != nullptr;
  if (integers->is_graph_output()) return false;
  return std::ranges::all_of(integers->uses, [&](const Use& use) {
    return use.index == 0 && use.node->is("DequantizeLinear") && single_step(*use.node) == step;
  });
}

namespace {

// The integers stay inside the layers: both stand for the value that is rounded.
Status emit_same(Emitter& emitter, const Node& node) {
  if (!is_dequantized_constant(node)) emitter.give_as(node, node.inputs[0]);
  return {};
}
bool is_quantize(const Node& node) {
  return node.inputs[0]->type.dtype == DType::kFloat32 && rounds_around_zero(node);
}
bool is_dequantize(const Node& node) {
  return is_dequantized_constant(node) || rounds_around_zero(node);
}

constexpr EmitRow kRows[] = {
    {"QuantizeLinear", emit_same, is_quantize},
    {"DequantizeLinear", emit_same, is_dequantize},
};

}  // namespace

std::span<const EmitRow> quantization_rows() { return kRows; }

}  // namespace edgewright::ncnn_format
