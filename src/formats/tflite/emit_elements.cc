// Operators that work element by element: in whatever layout their input lies.
#include <algorithm>
#include <limits>

#include "formats/tflite/emit.h"
#include "formats/tflite/names.h"

namespace edgewright::tflite_io {
namespace {

bool is_float(const Value* value) { return value->type.dtype == DType::kFloat32; }
bool is_float(const Node& node) { return is_float(node.inputs[0]); }
size_t rank_of(const Value* value) { return dims_of(value).size(); }

const NameRow& row_of(std::span<const NameRow> rows, const Node& node) {
  const auto it = std::ranges::find(rows, node.op, &NameRow::op);
  EDGEWRIGHT_CHECK(it != rows.end());
  return *it;
}

int unary(Emitter& emitter, const Node& node, Operator op, Layout layout) {
  return emitter.add(op, 1, {emitter.real(node.inputs[0], layout)},
                     Emitter::like(node.outputs[0], layout));
}

Status emit_unary(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  emitter.give(node.outputs[0], layout, Form::kReal,
               unary(emitter, node, row_of(unary_names(), node).code, layout));
  return {};
}

// The kernels of these take float32 only.
bool is_float_unary(const Node& node) { return is_float(node); }
bool is_bool(const Node& node) { return node.inputs[0]->type.dtype == DType::kBool; }

// Names of rounded sums and products: only those have integer kernels for any scales.
bool has_integer_kernel(const Node& node) {
  return node.op == "Add" || node.op == "Mul" || node.op == "Sub";
}

schema::BuiltinOptionsUnion options_with(const Node& node, Activation activation) {
  schema::BuiltinOptionsUnion options;
  const auto set = [&](auto table) {
    table.fused_activation_function = activation;
    options.Set(std::move(table));
  };
  if (node.op == "Add" || node.op == "Sum") set(schema::AddOptionsT());
  if (node.op == "Mul") set(schema::MulOptionsT());
  if (node.op == "Sub") set(schema::SubOptionsT());
  if (node.op == "Div") set(schema::DivOptionsT());
  return options;
}

bool can_fuse(const Node& node) {
  return node.op == "Add" || node.op == "Mul" || node.op == "Sub" || node.op == "Div";
}

bool is_binary(const Node& node) {
  if (node.inputs.size() > 2) return node.op == "Max" || node.op == "Min" || node.op == "Sum";
  const DType dtype = node.inputs[0]->type.dtype;
  const bool logic = node.op == "And" || node.op == "Or";
  if (logic || dtype == DType::kBool) return logic && dtype == DType::kBool;
  const bool integers = dtype == DType::kInt32 || dtype == DType::kInt64;
  if (node.op == "Div") return dtype == DType::kFloat32 || dtype == DType::kInt32;
  if (node.op == "Pow") return is_float(node) && is_float(node.inputs[1]);
  // Broadcasting of more axes is not in the kernels.
  return (dtype == DType::kFloat32 || integers) && rank_of(node.outputs[0]) <= 5;
}

Status emit_integer_binary(Emitter& emitter, const Node& node, const NameRow& row, const Tail& tail,
                           Layout layout) {
  Emitter::Result1 result = Emitter::like(tail.value, layout);
  result.type = schema::TensorType::INT8;
  result.quant = tail.quant;
  const int tensor = emitter.append(
      row.code, 2,
      {emitter.integer(node.inputs[0], layout), emitter.integer(node.inputs[1], layout)}, {result},
      options_with(node, tail.activation))[0];
  emitter.finish(tail, layout, tensor);
  return {};
}

Status emit_binary(Emitter& emitter, const Node& node) {
  const NameRow& row = row_of(binary_names(), node);
  const Layout layout = emitter.layout_of(node);
  if (node.inputs.size() == 1) {
    emitter.give(node.outputs[0], layout, Form::kReal, emitter.real(node.inputs[0], layout));
    return {};
  }
  Tail tail{node.outputs[0]};
  if (can_fuse(node) && is_float(node)) tail = emitter.tail_of(node);
  const bool integers = has_integer_kernel(node) && tail.quant &&
                        emitter.has_integer(node.inputs[0]) && emitter.has_integer(node.inputs[1]);
  const bool same_rank = rank_of(node.inputs[0]) == rank_of(node.inputs[1]);
  if (integers && (layout == Layout::kPlain || same_rank)) {
    return emit_integer_binary(emitter, node, row, tail, layout);
  }
  const size_t rank = rank_of(node.outputs[0]);
  int left = emitter.operand(node.inputs[0], layout, rank);
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    const bool last = i + 1 == node.inputs.size();
    const int right = emitter.operand(node.inputs[i], layout, rank);
    left = emitter.append(row.code, 1, {left, right}, {Emitter::like(tail.value, layout)},
                          options_with(node, last ? tail.activation : Activation::NONE))[0];
  }
  emitter.finish(tail, layout, left);
  return {};
}

Status emit_reciprocal(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  const int one = emitter.number(1);
  emitter.give(node.outputs[0], layout, Form::kReal,
               emitter.add(Operator::DIV, 1, {one, emitter.real(node.inputs[0], layout)},
                           Emitter::like(node.outputs[0], layout), schema::DivOptionsT()));
  return {};
}

Status emit_leaky_relu(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  schema::LeakyReluOptionsT options;
  options.alpha = node.attributes.get_float("alpha", 0.01f);
  emitter.give(node.outputs[0], layout, Form::kReal,
               emitter.add(Operator::LEAKY_RELU, 1, {emitter.real(node.inputs[0], layout)},
                           Emitter::like(node.outputs[0], layout), std::move(options)));
  return {};
}

Status emit_gelu(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  schema::GeluOptionsT options;
  options.approximate = node.attributes.get_string("approximate", "none") == "tanh";
  emitter.give(node.outputs[0], layout, Form::kReal,
               emitter.add(Operator::GELU, 1, {emitter.real(node.inputs[0], layout)},
                           Emitter::like(node.outputs[0], layout), std::move(options)));
  return {};
}

// The alpha of ELU is 1.
bool is_plain_elu(const Node& node) {
  return is_float(node) && node.attributes.get_float("alpha", 1) == 1;
}

bool has_constant_slope(const Node& node) {
  return is_float(node) && node.constant_input(1) != nullptr &&
         rank_of(node.inputs[1]) <= rank_of(node.inputs[0]);
}
Status emit_prelu(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  const size_t rank = rank_of(node.inputs[0]);
  emitter.give(node.outputs[0], layout, Form::kReal,
               emitter.add(Operator::PRELU, 1,
                           {emitter.real(node.inputs[0], layout),
                            emitter.operand(node.inputs[1], layout, rank)},
                           Emitter::like(node.outputs[0], layout)));
  return {};
}

bool has_bounds(const Node& node) {
  const bool low = node.input(1) == nullptr || constant_number(node, 1).has_value();
  const bool high = node.input(2) == nullptr || constant_number(node, 2).has_value();
  return is_float(node) && low && high;
}
Status emit_clip(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  const auto low = constant_number(node, 1), high = constant_number(node, 2);
  int tensor = emitter.real(node.inputs[0], layout);
  const auto add = [&](Operator op, std::vector<int> inputs) {
    tensor = emitter.add(op, 1, std::move(inputs), Emitter::like(node.outputs[0], layout));
  };
  if (low == 0.0f && high == 6.0f) {
    add(Operator::RELU6, {tensor});
  } else if (low == 0.0f && high == 1.0f) {
    add(Operator::RELU_0_TO_1, {tensor});
  } else {
    // With the lower bound above the upper one, ONNX gives the upper one: it comes last.
    if (low) add(Operator::MAXIMUM, {tensor, emitter.number(*low)});
    if (high) add(Operator::MINIMUM, {tensor, emitter.number(*high)});
  }
  emitter.give(node.outputs[0], layout, Form::kReal, tensor);
  return {};
}

Status emit_where(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  const size_t rank = rank_of(node.outputs[0]);
  std::vector<int> inputs;
  for (const Value* value : node.inputs) inputs.push_back(emitter.operand(value, layout, rank));
  emitter.give(node.outputs[0], layout, Form::kReal,
               emitter.add(Operator::SELECT_V2, 1, std::move(inputs),
                           Emitter::like(node.outputs[0], layout), schema::SelectV2OptionsT()));
  return {};
}
bool selects_by_shape(const Node& node) { return rank_of(node.outputs[0]) <= 5; }

Status emit_cast(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  schema::CastOptionsT options;
  options.in_data_type = tensor_type(node.inputs[0]->type.dtype);
  options.out_data_type = tensor_type(node.outputs[0]->type.dtype);
  emitter.give(node.outputs[0], layout, Form::kReal,
               emitter.add(Operator::CAST, 1, {emitter.real(node.inputs[0], layout)},
                           Emitter::like(node.outputs[0], layout), std::move(options)));
  return {};
}

// The remainder with the sign of the divisor, as FLOOR_MOD gives it.
bool is_floor_modulus(const Node& node) {
  const DType dtype = node.inputs[0]->type.dtype;
  return node.attributes.get_int("fmod", 0) == 0 &&
         (dtype == DType::kInt32 || dtype == DType::kInt64);
}
Status emit_modulus(Emitter& emitter, const Node& node) {
  emitter.give(node.outputs[0], Layout::kPlain, Form::kReal,
               emitter.add(Operator::FLOOR_MOD, 1,
                           {emitter.real(node.inputs[0]), emitter.real(node.inputs[1])},
                           Emitter::like(node.outputs[0]), schema::FloorModOptionsT()));
  return {};
}

Status emit_identity(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  if (emitter.has_integer(node.inputs[0])) {
    emitter.give(node.outputs[0], layout, Form::kInteger, emitter.integer(node.inputs[0], layout));
  } else {
    emitter.give(node.outputs[0], layout, Form::kReal, emitter.real(node.inputs[0], layout));
  }
  return {};
}

std::vector<EmitRow> make_rows() {
  std::vector<EmitRow> rows;
  for (const NameRow& row : unary_names()) {
    rows.push_back({row.op, emit_unary, row.op == "Not" ? is_bool : is_float_unary});
  }
  for (const NameRow& row : binary_names()) rows.push_back({row.op, emit_binary, is_binary});
  const EmitRow more[] = {
      {"Elu",
       [](Emitter& e, const Node& node) -> Status {
         const Layout layout = e.layout_of(node);
         e.give(node.outputs[0], layout, Form::kReal, unary(e, node, Operator::ELU, layout));
         return {};
       },
       is_plain_elu},
      {"Reciprocal", emit_reciprocal, is_float_unary},
      {"LeakyRelu", emit_leaky_relu, is_float_unary},
      {"Gelu", emit_gelu, is_float_unary},
      {"PRelu", emit_prelu, has_constant_slope},
      {"Clip", emit_clip, has_bounds},
      {"Where", emit_where, selects_by_shape},
      {"Cast", emit_cast},
      {"Mod", emit_modulus, is_floor_modulus},
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

}  // namespace edgewright::tflite_io
