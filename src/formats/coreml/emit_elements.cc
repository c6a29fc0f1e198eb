// Operators that work element by element.
#include <algorithm>
#include <limits>

#include "formats/coreml/emit.h"
#include "formats/coreml/names.h"

namespace edgewright::coreml {
namespace {

std::string_view operation_of(std::span<const NameRow> rows, const Node& node) {
  return std::ranges::find(rows, node.op, &NameRow::op)->operation;
}

Status emit_unary(Emitter& emitter, const Node& node) {
  emitter.finish(node, operation_of(unary_names(), node), {{"x", {emitter.input(node, 0)}}});
  return {};
}

// Max, Min and Sum take any number of inputs, one after the other.
Status emit_binary(Emitter& emitter, const Node& node) {
  const std::string_view operation = operation_of(binary_names(), node);
  std::string left = emitter.input(node, 0);
  if (node.inputs.size() == 1) {
    emitter.finish(node, "identity", {{"x", {left}}});
    return {};
  }
  for (size_t i = 1; i + 1 < node.inputs.size(); ++i) {
    // Broadcasting within is left to the last step's shape: all inputs have the same shape here.
    left = emitter.add(node, operation, {{"x", {left}}, {"y", {emitter.input(node, i)}}},
                       node.outputs[0]->type.dtype, dims_of(node.outputs[0]));
  }
  emitter.finish(node, operation,
                 {{"x", {left}}, {"y", {emitter.input(node, node.inputs.size() - 1)}}});
  return {};
}
bool joins_alike(const Node& node) {
  if (node.inputs.size() <= 2) return true;
  return std::ranges::all_of(
      node.inputs, [&](const Value* value) { return dims_of(value) == dims_of(node.outputs[0]); });
}
// Integer division of MIL rounds downwards, ONNX's towards zero; of powers both sides must agree.
bool divides_floats(const Node& node) { return is_float(node); }
bool has_like_operands(const Node& node) {
  return is_float(node) && node.inputs[0]->type.dtype == node.inputs[1]->type.dtype;
}

Status emit_neg(Emitter& emitter, const Node& node) {
  const std::string minus = emitter.number(-1, node.inputs[0]->type.dtype);
  emitter.finish(node, "mul", {{"x", {emitter.input(node, 0)}}, {"y", {minus}}});
  return {};
}

Status emit_with_epsilon(Emitter& emitter, const Node& node) {
  const char* operation = node.op == "Log" ? "log" : "inverse";
  // Zero: nothing is added to the input.
  const std::string epsilon = emitter.number(0, node.inputs[0]->type.dtype);
  emitter.finish(node, operation, {{"epsilon", {epsilon}}, {"x", {emitter.input(node, 0)}}});
  return {};
}

Status emit_clip(Emitter& emitter, const Node& node) {
  const DType dtype = node.inputs[0]->type.dtype;
  const auto bound = [&](size_t i, double otherwise) {
    const Tensor* tensor = node.constant_input(i);
    return emitter.number(tensor == nullptr ? otherwise : (*tensor->to_doubles())[0], dtype);
  };
  const double largest = dtype == DType::kFloat16 ? 65504 : std::numeric_limits<float>::max();
  emitter.finish(node, "clip",
                 {{"alpha", {bound(1, -largest)}},
                  {"beta", {bound(2, largest)}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}
bool clips_to_constants(const Node& node) {
  return is_float(node) && (node.input(1) == nullptr || has_constant(node, 1)) &&
         (node.input(2) == nullptr || has_constant(node, 2));
}

Status emit_leaky(Emitter& emitter, const Node& node) {
  const bool is_elu = node.op == "Elu";
  const float alpha = node.attributes.get_float("alpha", is_elu ? 1.0f : 0.01f);
  emitter.finish(node, is_elu ? "elu" : "leaky_relu",
                 {{"alpha", {emitter.number(alpha, node.inputs[0]->type.dtype)}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

Status emit_hard_sigmoid(Emitter& emitter, const Node& node) {
  const DType dtype = node.inputs[0]->type.dtype;
  emitter.finish(node, "sigmoid_hard",
                 {{"alpha", {emitter.number(node.attributes.get_float("alpha", 0.2f), dtype)}},
                  {"beta", {emitter.number(node.attributes.get_float("beta", 0.5f), dtype)}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

Status emit_gelu(Emitter& emitter, const Node& node) {
  const bool by_tanh = node.attributes.get_string("approximate", "none") == "tanh";
  emitter.finish(node, "gelu",
                 {{"mode", {emitter.text(by_tanh ? "TANH_APPROXIMATION" : "EXACT")}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

// Slopes per channel of axis 1.
bool has_channel_slopes(const Node& node) {
  const Tensor* slopes = node.constant_input(1);
  if (slopes == nullptr || !is_float(node) || dims_of(node.inputs[0]).size() < 3) return false;
  return slopes->element_count() == dims_of(node.inputs[0])[1] && slopes->rank() > 0 &&
         slopes->dim(0) == slopes->element_count() &&
         slopes->rank() + 1 == dims_of(node.inputs[0]).size();
}
Status emit_prelu(Emitter& emitter, const Node& node) {
  const Tensor slopes = node.constant_input(1)->reshaped({node.constant_input(1)->element_count()});
  emitter.finish(node, "prelu",
                 {{"alpha", {emitter.constant(slopes, node.inputs[1]->name)}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

Status emit_where(Emitter& emitter, const Node& node) {
  emitter.finish(node, "select",
                 {{"a", {emitter.input(node, 1)}},
                  {"b", {emitter.input(node, 2)}},
                  {"cond", {emitter.input(node, 0)}}});
  return {};
}

std::string_view cast_name(DType dtype) {
  switch (dtype) {
    case DType::kFloat32: return "fp32";
    case DType::kFloat16: return "fp16";
    case DType::kInt32:
    case DType::kInt64: return "int32";
    case DType::kBool: return "bool";
    default: return "";
  }
}
bool casts_known(const Node& node) {
  return !cast_name(node.inputs[0]->type.dtype).empty() &&
         !cast_name(node.outputs[0]->type.dtype).empty();
}
Status emit_cast(Emitter& emitter, const Node& node) {
  emitter.finish(node, "cast",
                 {{"dtype", {emitter.text(cast_name(node.outputs[0]->type.dtype))}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

constexpr EmitRow kRows[] = {
    {"Abs", emit_unary},
    {"Atan", emit_unary, is_float},
    {"Ceil", emit_unary, is_float},
    {"Cos", emit_unary, is_float},
    {"Erf", emit_unary, is_float},
    {"Exp", emit_unary, is_float},
    {"Floor", emit_unary, is_float},
    {"Identity", emit_unary},
    {"Relu", emit_unary, is_float},
    {"Round", emit_unary, is_float},
    {"Sigmoid", emit_unary, is_float},
    {"Sign", emit_unary},
    {"Sin", emit_unary, is_float},
    {"Softplus", emit_unary, is_float},
    {"Softsign", emit_unary, is_float},
    {"Sqrt", emit_unary, is_float},
    {"Tan", emit_unary, is_float},
    {"Tanh", emit_unary, is_float},
    {"Not", emit_unary},
    {"Add", emit_binary},
    {"Sub", emit_binary},
    {"Mul", emit_binary},
    {"Div", emit_binary, divides_floats},
    {"Pow", emit_binary, has_like_operands},
    {"Max", emit_binary, joins_alike},
    {"Min", emit_binary, joins_alike},
    {"Sum", emit_binary, joins_alike},
    {"Equal", emit_binary},
    {"Greater", emit_binary},
    {"GreaterOrEqual", emit_binary},
    {"Less", emit_binary},
    {"LessOrEqual", emit_binary},
    {"And", emit_binary},
    {"Or", emit_binary},
    {"Xor", emit_binary},
    {"Neg", emit_neg, is_float},
    {"Log", emit_with_epsilon, is_float},
    {"Reciprocal", emit_with_epsilon, is_float},
    {"Clip", emit_clip, clips_to_constants},
    {"Elu", emit_leaky, is_float},
    {"LeakyRelu", emit_leaky, is_float},
    {"HardSigmoid", emit_hard_sigmoid, is_float},
    {"Gelu", emit_gelu, is_float},
    {"PRelu", emit_prelu, has_channel_slopes},
    {"Where", emit_where},
    {"Cast", emit_cast, casts_known},
};

}  // namespace

std::span<const EmitRow> element_rows() { return kRows; }

}  // namespace edgewright::coreml
