// Before: DequantizeLinear, then an operator that only moves elements or takes the largest; or
// several DequantizeLinear of one scale, then Concat. After: the operator on bytes, then
// DequantizeLinear; and QuantizeLinear before instead of after such an operator, so that products
// and their quantisation come together. QuantizeLinear of what DequantizeLinear of the same scale
// made: the bytes themselves. Conditions: one scale; nothing else reads the float value that
// vanishes.
#include <algorithm>

#include "passes/lower/quantized_match.h"

namespace edgewright {
namespace {

constexpr std::string_view kMoves[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"};

bool only_moves(const Node* node) {
  if (node == nullptr || !node->domain.empty() || node->outputs.size() != 1) return false;
  // Rounding keeps order: the largest byte stands for the largest number.
  const bool nearest =
      node->op == "Resize" && node->attributes.get_string("mode", "nearest") == "nearest";
  return nearest || node->op == "MaxPool" ||
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

// DequantizeLinear of one scale on every input, Concat -> Concat, DequantizeLinear.
bool join_bytes(PassContext& context, Node& node) {
  const auto first = dequantized_value(node.input(0));
  if (!first || !node.domain.empty() || !static_dims(node.output(0))) return false;
  std::vector<Value*> bytes;
  for (const Value* input : node.inputs) {
    const auto value = dequantized_value(input);
    if (!value || value->scale != first->scale || value->bytes->is_constant() ||
        value->bytes->graph != node.graph) {
      return false;
    }
    bytes.push_back(value->bytes);
  }
  if (!context.allow(node)) return false;
  const Node* dequantizer = node.inputs[0]->producer;
  Node* joined = insert_node(context, *node.graph, &node, "Concat", std::move(bytes),
                             node.outputs[0]->name + "_joined", node.attributes);
  joined->name = node.name;
  joined->outputs[0]->type = ValueType::tensor(first->scale.dtype, node.outputs[0]->type.shape);
  std::vector<Value*> inputs = dequantizer->inputs;
  inputs[0] = joined->outputs[0];
  replace_node(context, &node, "DequantizeLinear", std::move(inputs), dequantizer->attributes,
               dequantizer->domain);
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
  return lower_nodes(graph, {"Concat", "DequantizeLinear", "QuantizeLinear"},
                     [&](Node& node) -> Result<bool> {
                       if (node.op == "Concat") return join_bytes(context, node);
                       if (node.op == "DequantizeLinear") return push_down(context, node);
                       return drop_repeated(context, node) || pull_up(context, node);
                     });
}

}  // namespace edgewright
