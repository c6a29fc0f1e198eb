// Operators that work element by element.
#include <algorithm>
#include <limits>

#include "formats/ncnn/emit.h"

namespace edgewright::ncnn_format {
namespace {

struct CodeRow {
  std::string_view op;
  int64_t code;
};
// Of UnaryOp and BinaryOp (ncnn, docs of operators).
constexpr CodeRow kUnary[] = {{"Abs", 0},   {"Neg", 1},         {"Floor", 2}, {"Ceil", 3},
                              {"Sqrt", 5},  {"Exp", 7},         {"Log", 8},   {"Sin", 9},
                              {"Cos", 10},  {"Tan", 11},        {"Asin", 12}, {"Acos", 13},
                              {"Atan", 14}, {"Reciprocal", 15}, {"Round", 18}};
constexpr CodeRow kBinary[] = {{"Add", 0}, {"Sub", 1}, {"Mul", 2}, {"Div", 3},
                               {"Max", 4}, {"Min", 5}, {"Sum", 0}};
// The operation with its operands exchanged, where that differs.
constexpr CodeRow kReversed[] = {{"Sub", 7}, {"Div", 8}};

int64_t code_of(std::span<const CodeRow> rows, const Node& node) {
  const auto it = std::ranges::find(rows, node.op, &CodeRow::op);
  return it == rows.end() ? -1 : it->code;
}

// A layer whose output has the shape of its input.
void finish_alike(Emitter& emitter, const Node& node, std::string_view type,
                  Parameters parameters = {}) {
  emitter.finish(node, type, {emitter.input(node, 0)}, std::move(parameters),
                 blob_dims(dims_of(node.outputs[0])));
}

bool comes_in(const Node& node) { return !has_constant(node, 0); }

Status emit_unary(Emitter& emitter, const Node& node) {
  finish_alike(emitter, node, "UnaryOp", Parameters().integer(0, code_of(kUnary, node)));
  return {};
}

struct NameRow {
  std::string_view op, type;
};
constexpr NameRow kPlain[] = {{"Sigmoid", "Sigmoid"}, {"Tanh", "TanH"}, {"Softplus", "Softplus"},
                              {"Mish", "Mish"},       {"Erf", "Erf"},   {"Relu", "ReLU"}};
Status emit_plain(Emitter& emitter, const Node& node) {
  finish_alike(emitter, node, std::ranges::find(kPlain, node.op, &NameRow::op)->type);
  return {};
}

Status emit_identity(Emitter& emitter, const Node& node) {
  emitter.give(node, emitter.input(node, 0), blob_dims(dims_of(node.inputs[0])));
  return {};
}

bool is_single_float(const Node& node, size_t i) {
  const Tensor* tensor = node.constant_input(i);
  return tensor != nullptr && tensor->element_count() == 1 && tensor->dtype() == DType::kFloat32;
}

// Both operands with as many axes as the result, which broadcasts them as NumPy does.
std::string operand(Emitter& emitter, const Node& node, size_t i) {
  const Dims result = dims_of(node.outputs[0]);
  Dims dims = dims_of(node.inputs[i]);
  dims.insert(dims.begin(), result.size() - dims.size(), 1);
  return emitter.input_as(node, i, without(dims, dropped_axis(result)));
}

bool joins_two(const Node& node) {
  if (node.inputs.size() != 2 || (has_constant(node, 0) && has_constant(node, 1))) return false;
  const auto is_float = [](const Value* value) { return value->type.dtype == DType::kFloat32; };
  return std::ranges::all_of(node.inputs, is_float);
}
Status emit_binary(Emitter& emitter, const Node& node) {
  const Dims dims = blob_dims(dims_of(node.outputs[0]));
  const int64_t code = code_of(kBinary, node);
  for (const size_t scalar : {size_t{1}, size_t{0}}) {
    const size_t other = 1 - scalar;
    if (!is_single_float(node, scalar) || dims_of(node.inputs[other]) != dims_of(node.outputs[0])) {
      continue;
    }
    const int64_t reversed = code_of(kReversed, node);
    Parameters parameters;
    parameters.integer(0, scalar == 1 || reversed < 0 ? code : reversed)
        .integer(1, 1)
        .number(2, floats_of(*node.constant_input(scalar))[0]);
    emitter.finish(node, "BinaryOp", {emitter.input(node, other)}, parameters, dims);
    return {};
  }
  emitter.finish(node, "BinaryOp", {operand(emitter, node, 0), operand(emitter, node, 1)},
                 Parameters().integer(0, code), dims);
  return {};
}

// ncnn's powers are exponentials of logarithms, wrong for numbers below zero: the usual exponents
// are other operations, and others are refused.
bool has_usual_exponent(const Node& node) {
  if (!comes_in(node) || !is_single_float(node, 1)) return false;
  const float exponent = floats_of(*node.constant_input(1))[0];
  return (exponent == 2 || exponent == 3 || exponent == 0.5f || exponent == -0.5f) &&
         dims_of(node.inputs[0]) == dims_of(node.outputs[0]);
}
Status emit_pow(Emitter& emitter, const Node& node) {
  const Dims dims = blob_dims(dims_of(node.outputs[0]));
  const float exponent = floats_of(*node.constant_input(1))[0];
  const std::string base = emitter.input(node, 0);
  constexpr int64_t kSquare = 4, kRoot = 5, kInverseRoot = 6, kTimes = 2;
  if (exponent == 3) {
    const std::string square =
        emitter.add(node, "UnaryOp", {base}, Parameters().integer(0, kSquare));
    emitter.finish(node, "BinaryOp", {square, base}, Parameters().integer(0, kTimes), dims);
    return {};
  }
  const int64_t code = exponent == 2 ? kSquare : exponent > 0 ? kRoot : kInverseRoot;
  emitter.finish(node, "UnaryOp", {base}, Parameters().integer(0, code), dims);
  return {};
}

bool clips_to_constants(const Node& node) {
  return comes_in(node) && (node.input(1) == nullptr || is_single_float(node, 1)) &&
         (node.input(2) == nullptr || is_single_float(node, 2));
}
Status emit_clip(Emitter& emitter, const Node& node) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const auto bound = [&](size_t i, float otherwise) {
    return has_constant(node, i) ? floats_of(*node.constant_input(i))[0] : otherwise;
  };
  finish_alike(emitter, node, "Clip",
               Parameters().number(0, bound(1, -kLargest)).number(1, bound(2, kLargest)));
  return {};
}

Status emit_leaky(Emitter& emitter, const Node& node) {
  const bool is_elu = node.op == "Elu";
  const float alpha = node.attributes.get_float("alpha", is_elu ? 1.0f : 0.01f);
  finish_alike(emitter, node, is_elu ? "ELU" : "ReLU", Parameters().number(0, alpha));
  return {};
}

Status emit_hard(Emitter& emitter, const Node& node) {
  const bool is_swish = node.op == "HardSwish";
  const float alpha = is_swish ? 1.0f / 6 : node.attributes.get_float("alpha", 0.2f);
  const float beta = is_swish ? 0.5f : node.attributes.get_float("beta", 0.5f);
  finish_alike(emitter, node, node.op, Parameters().number(0, alpha).number(1, beta));
  return {};
}

Status emit_gelu(Emitter& emitter, const Node& node) {
  const bool by_tanh = node.attributes.get_string("approximate", "none") == "tanh";
  finish_alike(emitter, node, "GELU", Parameters().integer(0, by_tanh ? 1 : 0));
  return {};
}

// One slope for all, or one per channel.
bool has_channel_slopes(const Node& node) {
  const Tensor* slopes = node.constant_input(1);
  const Dims dims = dims_of(node.inputs[0]);
  if (slopes == nullptr || !comes_in(node) || dims.size() != 4 || dims[0] != 1) return false;
  if (slopes->element_count() == 1) return true;
  return slopes->element_count() == dims[1] && slopes->rank() == 3 && slopes->dim(0) == dims[1];
}
Status emit_prelu(Emitter& emitter, const Node& node) {
  const auto slopes = floats_of(*node.constant_input(1));
  const std::string from = emitter.input(node, 0);
  emitter.raw_weights(slopes);
  emitter.finish(node, "PReLU", {from},
                 Parameters().integer(0, static_cast<int64_t>(slopes.size())),
                 blob_dims(dims_of(node.outputs[0])));
  return {};
}

constexpr EmitRow kRows[] = {
    {"Abs", emit_unary, comes_in},
    {"Neg", emit_unary, comes_in},
    {"Floor", emit_unary, comes_in},
    {"Ceil", emit_unary, comes_in},
    {"Sqrt", emit_unary, comes_in},
    {"Exp", emit_unary, comes_in},
    {"Log", emit_unary, comes_in},
    {"Sin", emit_unary, comes_in},
    {"Cos", emit_unary, comes_in},
    {"Tan", emit_unary, comes_in},
    {"Asin", emit_unary, comes_in},
    {"Acos", emit_unary, comes_in},
    {"Atan", emit_unary, comes_in},
    {"Reciprocal", emit_unary, comes_in},
    {"Round", emit_unary, comes_in},
    {"Relu", emit_plain, comes_in},
    {"Sigmoid", emit_plain, comes_in},
    {"Tanh", emit_plain, comes_in},
    {"Softplus", emit_plain, comes_in},
    {"Mish", emit_plain, comes_in},
    {"Erf", emit_plain, comes_in},
    {"Identity", emit_identity, comes_in},
    {"Add", emit_binary, joins_two},
    {"Sub", emit_binary, joins_two},
    {"Mul", emit_binary, joins_two},
    {"Div", emit_binary, joins_two},
    {"Max", emit_binary, joins_two},
    {"Min", emit_binary, joins_two},
    {"Pow", emit_pow, has_usual_exponent},
    {"Sum", emit_binary, joins_two},
    {"Clip", emit_clip, clips_to_constants},
    {"Elu", emit_leaky, comes_in},
    {"LeakyRelu", emit_leaky, comes_in},
    {"HardSigmoid", emit_hard, comes_in},
    {"HardSwish", emit_hard, comes_in},
    {"Gelu", emit_gelu, comes_in},
    {"PRelu", emit_prelu, has_channel_slopes},
};

}  // namespace

std::span<const EmitRow> element_rows() { return kRows; }

}  // namespace edgewright::ncnn_format
