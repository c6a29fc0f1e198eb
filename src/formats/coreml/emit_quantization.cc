// Quantised models: weights that the compiler dequantises, activations that are rounded.
#include "formats/coreml/emit.h"
#include "graph/dequantized.h"

namespace edgewright::coreml {
namespace {

bool is_byte(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUint8; }

// One scale, or one per channel of an axis; the zero point, where there is one, alike.
bool has_plain_scale(const Node& node) {
  const Tensor* scale = node.constant_input(1);
  if (scale == nullptr || scale->rank() > 1 || scale->dtype() != DType::kFloat32) return false;
  if (node.attributes.get_int("block_size", 0) != 0) return false;
  if (node.input(2) == nullptr) return true;
  return has_constant(node, 2) && is_byte(node.constant_input(2)->dtype()) &&
         node.constant_input(2)->dims() == scale->dims();
}

Result<Tensor> zero_point(const Node& node, DType dtype) {
  if (const Tensor* given = node.constant_input(2)) return *given;
  return Tensor::allocate(dtype, node.constant_input(1)->dims());
}

// Biases in int32 are no type of Core ML's: their numbers stand in the program.
bool is_bias(const Node& node) {
  return node.inputs[0]->type.dtype == DType::kInt32 && is_dequantized_constant(node);
}
bool dequantizes_bytes(const Node& node) {
  if (is_bias(node)) return true;
  return is_byte(node.inputs[0]->type.dtype) && has_plain_scale(node);
}
Status emit_dequantize(Emitter& emitter, const Node& node) {
  if (is_bias(node)) {
    EDGEWRIGHT_ASSIGN(const Tensor numbers, dequantized(node));
    emitter.give_constant(node, numbers);
    return {};
  }
  const Dims dims = dims_of(node.inputs[0]);
  const int64_t axis = axis_of(node, 1, dims.size());
  const Tensor scale = *node.constant_input(1);
  EDGEWRIGHT_ASSIGN(const Tensor zero, zero_point(node, node.inputs[0]->type.dtype));
  if (const Tensor* weights = node.constant_input(0)) {
    emitter.need_opset(6);
    emitter.finish_constant(node, "constexpr_affine_dequantize",
                            {{"axis", Tensor::scalar(static_cast<int32_t>(axis))},
                             {"quantized_data", *weights},
                             {"scale", scale},
                             {"zero_point", zero}});
    return {};
  }
  emitter.need_opset(7);
  Arguments arguments = {{"input", {emitter.input(node, 0)}},
                         {"scale", {emitter.constant(scale, node.inputs[1]->name)}},
                         {"zero_point", {emitter.constant(zero, "zero_point")}}};
  if (scale.rank() == 1) arguments.push_back({"axis", {emitter.integer(axis)}});
  emitter.finish(node, "dequantize", arguments);
  return {};
}

bool quantizes_to_bytes(const Node& node) {
  return node.inputs[0]->type.dtype == DType::kFloat32 && has_plain_scale(node) &&
         is_byte(node.outputs[0]->type.dtype);
}
Status emit_quantize(Emitter& emitter, const Node& node) {
  const DType dtype = node.outputs[0]->type.dtype;
  const Tensor scale = *node.constant_input(1);
  EDGEWRIGHT_ASSIGN(const Tensor zero, zero_point(node, dtype));
  emitter.need_opset(7);
  Arguments arguments = {{"input", {emitter.input(node, 0)}},
                         {"output_dtype", {emitter.text(dtype == DType::kInt8 ? "int8" : "uint8")}},
                         {"scale", {emitter.constant(scale, node.inputs[1]->name)}},
                         {"zero_point", {emitter.constant(zero, "zero_point")}}};
  if (scale.rank() == 1) {
    const int64_t axis = axis_of(node, 1, dims_of(node.inputs[0]).size());
    arguments.push_back({"axis", {emitter.integer(axis)}});
  }
  emitter.finish(node, "quantize", arguments);
  return {};
}

constexpr EmitRow kRows[] = {
    {"DequantizeLinear", emit_dequantize, dequantizes_bytes},
    {"QuantizeLinear", emit_quantize, quantizes_to_bytes},
};

}  // namespace

std::span<const EmitRow> quantization_rows() { return kRows; }

}  // namespace edgewright::coreml
