// Before: DequantizeLinear, then an operator that only moves elements.
// After: the operator on bytes, then DequantizeLinear; and QuantizeLinear before instead of after
// such an operator, so that products and their quantisation come together. QuantizeLinear of what
// DequantizeLinear of the same scale made: the bytes themselves.
// Conditions: one scale; nothing else reads the float value that vanishes.
#include <algorithm>

#include "passes/lower/quantized_match.h"

namespace edgewright {
namespace {

constexpr std::string_view kMoves[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"};

bool only_moves(const Node* node) {
  return node != nullptr && node->domain.empty() && node->outputs.size() == 1 &&
         std::ranges::find(kMoves, node->op) != std::end(kMoves);
}

// The node on another input; its other inputs and attributes stay.
Value* moved(PassContext& context, Node& node, Value* input, Node* before) {
  std::vector<Value*> inputs = node.inputs;
  inputs[0] = input;
  Node* made = insert_node(context, *node.graph, before, node.op, std::move(inputs),
                           input->name + "_moved", node.attributes);
  made->name = node.name;
  made->outputs[0]->type = ValueType::tensor(dtype_of(input), node.outputs[0]->type.shape);
  return made->outputs[0];
}

// DequantizeLinear, move -> move, DequantizeLinear.
bool push_down(PassContext& context, Node& node) {
  Node* move = single_user(node.output(0));
  const auto value = dequantized_value(node.output(0));
  if (!value || !only_moves(move) || move->graph != node.graph || move->input(0) != node.outputs[0])
    return false;
  if (value->bytes->is_constant() || !static_dims(move->outputs[0]) || !context.allow(node)) {
    return false;
  }
  Value* bytes = moved(context, *move, value->bytes, move);
  std::vector<Value*> inputs = node.inputs;
  inputs[0] = bytes;
  replace_node(context, move, node.op, std::move(inputs), node.attributes, node.domain);
  return true;
}

// Move, QuantizeLinear -> QuantizeLinear, move.
bool pull_up(PassContext& context, Node& node) {
  if (!quantizes(node)) return false;
  Node* move = node.inputs[0]->producer;
  if (!only_moves(move) || move->graph != node.graph || !has_single_use(node.inputs[0]) ||
      !is_static_float(move->inputs[0]) || !static_dims(node.outputs[0]) || !context.allow(node)) {
    return false;
  }
  std::vector<Value*> inputs = node.inputs;
  inputs[0] = move->inputs[0];
  Node* early = insert_node(context, *node.graph, &node, node.op, std::move(inputs),
                            node.outputs[0]->name + "_early", node.attributes, node.domain);
  early->name = node.name;
  early->outputs[0]->type =
      ValueType::tensor(dtype_of(node.outputs[0]), move->inputs[0]->type.shape);
  std::vector<Value*> moved_inputs = move->inputs;
  moved_inputs[0] = early->outputs[0];
  replace_node(context, &node, move->op, std::move(moved_inputs), move->attributes, move->domain);
  return true;
}

// DequantizeLinear, QuantizeLinear of the same scale -> nothing.
bool drop_repeated(PassContext& context, Node& node) {
  const auto scale = quantizes(node);
  const auto value = dequantized_value(node.input(0));
  if (!scale || !value || *scale != value->scale || value->bytes->graph != node.graph ||
      !can_replace(node.outputs[0], value->bytes) || !context.allow(node)) {
    return false;
  }
  replace_value(node.outputs[0], value->bytes);
  erase_if_dead(&node);
  return true;
}

}  // namespace

Result<bool> lower_quantized_moves(Graph& graph, PassContext& context) {
  return lower_nodes(graph, {"DequantizeLinear", "QuantizeLinear"},
                     [&](Node& node) -> Result<bool> {
                       if (node.op == "DequantizeLinear") return push_down(context, node);
                       return drop_repeated(context, node) || pull_up(context, node);
                     });
}

}  // namespace edgewright
