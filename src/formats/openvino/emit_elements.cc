// Operators that work element by element.
#include <algorithm>
#include <limits>

#include "formats/openvino/emit.h"
#include "formats/openvino/names.h"

namespace edgewright::openvino_ir {
namespace {

const NameRow& row_of(std::span<const NameRow> rows, const Node& node) {
  const auto it = std::ranges::find(rows, node.op, &NameRow::op);
  EDGEWRIGHT_CHECK(it != rows.end());
  return *it;
}

bool is_float(const Node& node) { return is_floating_point(node.inputs[0]->type.dtype); }

Status emit_unary(Emitter& emitter, const Node& node) {
  const NameRow& row = row_of(unary_names(), node);
  emitter.finish(node, row.type, row.version, {emitter.input(node, 0)});
  return {};
}

// Two inputs, or for Max, Min and Sum any number, one after the other.
Status emit_binary(Emitter& emitter, const Node& node) {
  const NameRow& row = row_of(binary_names(), node);
  if (node.inputs.size() == 1) {
    emitter.give(node, 0, emitter.input(node, 0));
    return {};
  }
  Endpoint left = emitter.input(node, 0);
  for (size_t i = 1; i + 1 < node.inputs.size(); ++i) {
    left = emitter.binary(node, row.type, left, emitter.input(node, i));
  }
  Endpoint right = emitter.input(node, node.inputs.size() - 1);
  if (node.op == "Pow") right = emitter.convert(node, right, emitter.type(left).dtype);
  emitter.finish(node, row.type, row.version, {left, right}, {{"auto_broadcast", "numpy"}});
  return {};
}

Status emit_div(Emitter& emitter, const Node& node) {
  // ONNX cuts off quotients of integers towards zero.
  emitter.finish(node, "Divide", "opset1", {emitter.input(node, 0), emitter.input(node, 1)},
                 {{"auto_broadcast", "numpy"}, {"m_pythondiv", "false"}});
  return {};
}

Status emit_mod(Emitter& emitter, const Node& node) {
  const bool as_c = node.attributes.get_int("fmod", 0) != 0;
  emitter.finish(node, as_c ? "Mod" : "FloorMod", "opset1",
                 {emitter.input(node, 0), emitter.input(node, 1)}, {{"auto_broadcast", "numpy"}});
  return {};
}

Status emit_reciprocal(Emitter& emitter, const Node& node) {
  const Endpoint one = emitter.number(1, node.inputs[0]->type.dtype);
  emitter.finish(node, "Divide", "opset1", {one, emitter.input(node, 0)},
                 {{"auto_broadcast", "numpy"}, {"m_pythondiv", "false"}});
  return {};
}

Status emit_round(Emitter& emitter, const Node& node) {
  emitter.finish(node, "Round", "opset5", {emitter.input(node, 0)}, {{"mode", "half_to_even"}});
  return {};
}

Status emit_where(Emitter& emitter, const Node& node) {
  emitter.finish(node, "Select", "opset1",
                 {emitter.input(node, 0), emitter.input(node, 1), emitter.input(node, 2)},
                 {{"auto_broadcast", "numpy"}});
  return {};
}

Status emit_cast(Emitter& emitter, const Node& node) {
  const DType to = node.outputs[0]->type.dtype;
  emitter.finish(node, "Convert", "opset1", {emitter.input(node, 0)},
                 {{"destination_type", std::string(element_type(to))}});
  return {};
}

// The number of a constant of one element.
double scalar(const Tensor* tensor, double otherwise) {
  if (tensor == nullptr || tensor->element_count() != 1) return otherwise;
  const auto values = tensor->to_doubles();
  return values.ok() ? (*values)[0] : otherwise;
}

Status emit_clip(Emitter& emitter, const Node& node) {
  const bool fixed = (node.input(1) == nullptr || has_constant(node, 1)) &&
                     (node.input(2) == nullptr || has_constant(node, 2));
  Endpoint x = emitter.input(node, 0);
  if (fixed && is_float(node)) {
    const double most = std::numeric_limits<float>::max();
    const double low = scalar(node.constant_input(1), -most);
    const double high = scalar(node.constant_input(2), most);
    if (low <= high) {
      emitter.finish(node, "Clamp", "opset1", {x},
                     {{"min", fmt::format("{}", low)}, {"max", fmt::format("{}", high)}});
      return {};
    }
  }
  if (node.input(1) != nullptr) x = emitter.binary(node, "Maximum", x, emitter.input(node, 1));
  if (node.input(2) != nullptr) x = emitter.binary(node, "Minimum", x, emitter.input(node, 2));
  emitter.give(node, 0, x);
  return {};
}

Status emit_leaky_relu(Emitter& emitter, const Node& node) {
  const float alpha = node.attributes.get_float("alpha", 0.01f);
  const Endpoint slope = emitter.constant(Tensor::of<float>({1}, {alpha}));
  emitter.finish(node, "PReLU", "opset1", {emitter.input(node, 0), slope});
  return {};
}

// A slope of rank 1 would be taken for one of channels: ONNX aligns it with the last axis.
bool has_slope(const Node& node) {
  return has_constant(node, 1) && has_rank(node.input(0)) &&
         node.constant_input(1)->rank() <= rank_of(node.input(0));
}
Status emit_prelu(Emitter& emitter, const Node& node) {
  const Tensor& slope = *node.constant_input(1);
  Dims dims(rank_of(node.input(0)) - slope.rank(), 1);
  dims.insert(dims.end(), slope.dims().begin(), slope.dims().end());
  if (slope.element_count() == 1) dims = {1};
  emitter.finish(
      node, "PReLU", "opset1",
      {emitter.input(node, 0), emitter.constant(slope.reshaped(dims), node.inputs[1]->name)});
  return {};
}

Status emit_elu(Emitter& emitter, const Node& node) {
  const float alpha = node.attributes.get_float("alpha", 1.0f);
  emitter.finish(node, "Elu", "opset1", {emitter.input(node, 0)},
                 {{"alpha", fmt::format("{}", alpha)}});
  return {};
}

Status emit_selu(Emitter& emitter, const Node& node) {
  const DType dtype = node.inputs[0]->type.dtype;
  // The defaults of ai.onnx.
  const float alpha = node.attributes.get_float("alpha", 1.67326319217681884765625f);
  const float gamma = node.attributes.get_float("gamma", 1.05070102214813232421875f);
  emitter.finish(
      node, "Selu", "opset1",
      {emitter.input(node, 0), emitter.number(alpha, dtype), emitter.number(gamma, dtype)});
  return {};
}

Status emit_hard_sigmoid(Emitter& emitter, const Node& node) {
  const DType dtype = node.inputs[0]->type.dtype;
  emitter.finish(
      node, "HardSigmoid", "opset1",
      {emitter.input(node, 0), emitter.number(node.attributes.get_float("alpha", 0.2f), dtype),
       emitter.number(node.attributes.get_float("beta", 0.5f), dtype)});
  return {};
}

Status emit_gelu(Emitter& emitter, const Node& node) {
  const bool tanh = node.attributes.get_string("approximate", "none") == "tanh";
  emitter.finish(node, "Gelu", "opset7", {emitter.input(node, 0)},
                 {{"approximation_mode", tanh ? "TANH" : "ERF"}});
  return {};
}

Status emit_swish(Emitter& emitter, const Node& node) {
  const float alpha = node.attributes.get_float("alpha", 1.0f);
  emitter.finish(node, "Swish", "opset4",
                 {emitter.input(node, 0), emitter.number(alpha, node.inputs[0]->type.dtype)});
  return {};
}

Status emit_identity(Emitter& emitter, const Node& node) {
  emitter.give(node, 0, emitter.input(node, 0));
  return {};
}

std::vector<EmitRow> make_rows() {
  std::vector<EmitRow> rows;
  for (const NameRow& row : unary_names()) rows.push_back({row.op, emit_unary});
  for (const NameRow& row : binary_names()) rows.push_back({row.op, emit_binary});
  const EmitRow more[] = {
      {"Div", emit_div},
      {"Mod", emit_mod},
      {"Reciprocal", emit_reciprocal},
      {"Round", emit_round},
      {"Where", emit_where},
      {"Cast", emit_cast},
      {"Clip", emit_clip},
      {"LeakyRelu", emit_leaky_relu},
      {"PRelu", emit_prelu, has_slope},
      {"Elu", emit_elu},
      {"Selu", emit_selu},
      {"HardSigmoid", emit_hard_sigmoid},
      {"Gelu", emit_gelu},
      {"Swish", emit_swish},
      {"Identity", emit_identity},
  };
  rows.insert(rows.end(), std::begin(more), std::end(more));
  return rows;
}

}  // namespace

std::span<const EmitRow> element_rows() {
  static const auto* rows = new std::vector<EmitRow>(make_rows());
  return *rows;
}

}  // namespace edgewright::openvino_ir
