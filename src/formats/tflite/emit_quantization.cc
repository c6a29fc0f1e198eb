// QuantizeLinear and DequantizeLinear are no operators here: they say which tensors hold integers.
#include "formats/tflite/emit.h"
#include "formats/tflite/weights.h"

namespace edgewright::tflite_io {

// uint8 with zero point z is int8 with z - 128: the kernels are those of int8.
std::optional<Quant> quant_of(const Node& node) {
  const Tensor* scales = node.constant_input(1);
  if (scales == nullptr || scales->dtype() != DType::kFloat32) return {};
  if (node.attributes.get_int("block_size", 0) != 0) return {};
  const bool quantize = node.is("QuantizeLinear");
  const DType dtype = quantize ? node.outputs[0]->type.dtype : node.inputs[0]->type.dtype;
  if (dtype != DType::kInt8 && dtype != DType::kUint8) return {};
  const int64_t shift = dtype == DType::kUint8 ? 128 : 0;
  Quant quant;
  quant.scales.assign(scales->elements<float>().begin(), scales->elements<float>().end());
  quant.zeros.assign(quant.scales.size(), -shift);
  if (const Tensor* zeros = node.constant_input(2)) {
    const auto values = zeros->to_int64s();
    if (!values.ok() || values->size() != quant.scales.size()) return {};
    for (size_t i = 0; i < values->size(); ++i) quant.zeros[i] = (*values)[i] - shift;
  } else if (node.input(2) != nullptr) {
    return {};
  }
  if (quant.scales.size() > 1) {
    const int64_t axis = node.attributes.get_int("axis", 1);
    const auto rank = static_cast<int64_t>(dims_of(node.inputs[0]).size());
    quant.axis = static_cast<int>(axis < 0 ? axis + rank : axis);
  }
  return quant;
}

namespace {

// One scale for the whole value, and nothing but DequantizeLinear reads the integers.
bool is_rounding(const Node& node) {
  const auto quant = quant_of(node);
  if (!quant || quant->scales.size() != 1 || node.outputs[0]->is_graph_output()) return false;
  for (const Use& use : node.outputs[0]->uses) {
    if (!use.node->is("DequantizeLinear") || use.index != 0) return false;
    if (quant_of(*use.node) != quant) return false;
  }
  return true;
}

Status emit_quantize(Emitter& emitter, const Node& node) {
  const Quant quant = *quant_of(node);
  const Value* x = node.inputs[0];
  Layout layout = emitter.layout_of(node);
  int tensor = -1;
  if (emitter.has_integer(x)) {
    tensor = emitter.requantise(emitter.integer(x, layout), quant);
  } else {
    Emitter::Result1 result = Emitter::like(node.outputs[0], layout);
    result.type = schema::TensorType::INT8;
    result.quant = quant;
    tensor = emitter.add(Operator::QUANTIZE, 1, {emitter.real(x, layout)}, result,
                         schema::QuantizeOptionsT());
  }
  emitter.give(node.outputs[0], layout, Form::kInteger, tensor);
  return {};
}

bool is_dequantize(const Node& node) {
  if (node.constant_input(0) != nullptr) {
    const DType dtype = node.inputs[0]->type.dtype;
    const bool bias = dtype == DType::kInt32 && node.constant_input(1) != nullptr;
    return bias || quant_of(node).has_value();
  }
  const Node* made = node.inputs[0]->producer;
  return made != nullptr && made->is("QuantizeLinear") && is_rounding(*made);
}

// Constants are read by the layers that take them as integers; others take the reals.
Status emit_dequantize(Emitter& emitter, const Node& node) {
  const Value* output = node.outputs[0];
  if (node.constant_input(0) != nullptr) {
    emitter.give_constant(output, [output] {
      const auto numbers = constant_numbers(output);
      const std::vector<float> reals(numbers.begin(), numbers.end());
      return Tensor::of<float>(dims_of(output), std::span<const float>(reals));
    });
    return {};
  }
  const Layout layout = emitter.layout_of(node);
  emitter.give(output, layout, Form::kInteger, emitter.integer(node.inputs[0], layout));
  return {};
}

constexpr EmitRow kRows[] = {
    {"QuantizeLinear", emit_quantize, is_rounding},
    {"DequantizeLinear", emit_dequantize, is_dequantize},
};

}  // namespace

std::span<const EmitRow> quantization_rows() { return kRows; }

}  // namespace edgewright::tflite_io
