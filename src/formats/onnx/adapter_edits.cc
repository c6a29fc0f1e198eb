#include "formats/onnx/adapter_edits.h"

#include "tensor/half.h"

namespace edgewright::onnx_io {

Node* next_node(const Node& node) {
  const auto it = std::next(node.position);
  return it == node.graph->nodes().end() ? nullptr : &*it;
}

Value* constant_beside(Node& node, std::string_view suffix, Tensor tensor) {
  const std::string& base = node.output(0) != nullptr ? node.output(0)->name : node.name;
  return node.graph->add_constant(fmt::format("{}_{}", base, suffix), std::move(tensor));
}

Value* ints_beside(Node& node, std::string_view suffix, const std::vector<int64_t>& values) {
  const auto count = static_cast<int64_t>(values.size());
  return constant_beside(node, suffix,
                         Tensor::of<int64_t>({count}, std::span<const int64_t>(values)));
}

Value* insert_before(Node& node, const char* op, std::vector<Value*> inputs,
                     Attributes attributes) {
  const std::string& base = node.output(0) != nullptr ? node.output(0)->name : node.name;
  Node* made = node.graph->add_node(op, std::move(inputs), {fmt::format("{}_{}", base, op)},
                                    std::move(attributes), "", &node);
  return made->outputs[0];
}

Node* append_to_output(Node& node, size_t i, const char* op, Attributes attributes) {
  Graph& graph = *node.graph;
  Value* raw = node.outputs[i];
  const std::string name = raw->name;
  Node* made = graph.add_node(op, {}, {fmt::format("{}_{}", name, op)}, std::move(attributes), "",
                              next_node(node));
  Value* result = made->outputs[0];
  result->type = raw->type;
  graph.replace_uses(raw, result);
  if (raw->name == name) {  // a graph output has exchanged the names already
    const std::string other = result->name;
    graph.rename(result, fmt::format("{}_", other));
    graph.rename(raw, other);
    graph.rename(result, name);
  }
  raw->type = {};
  graph.set_input(made, 0, raw);
  return made;
}

bool move_ints_to_input(Node& node, std::string_view attribute, size_t i) {
  if (!node.attributes.contains(attribute)) return false;
  const auto values = node.attributes.get_ints(attribute);
  node.attributes.erase(attribute);
  node.graph->set_input(&node, i, ints_beside(node, attribute, values));
  return true;
}

std::optional<int64_t> input_rank(const Node& node, size_t i) {
  const Value* value = node.input(i);
  if (value == nullptr || !value->type.is_tensor() || !value->type.shape) return std::nullopt;
  return static_cast<int64_t>(value->type.shape->size());
}

Attributes with_attribute(std::string name, AttributeValue value) {
  Attributes attributes;
  attributes.set(std::move(name), std::move(value));
  return attributes;
}

Value* scalar_like_input(Node& node, size_t i, std::string_view suffix, double value) {
  const Value* input = node.input(i);
  const auto real = static_cast<float>(value);
  switch (input == nullptr ? DType::kUndefined : input->type.dtype) {
    case DType::kFloat64: return constant_beside(node, suffix, Tensor::scalar<double>(value));
    case DType::kFloat16: return constant_beside(node, suffix, Tensor::scalar<Half>(Half(real)));
    default: return constant_beside(node, suffix, Tensor::scalar<float>(real));
  }
}

}  // namespace edgewright::onnx_io
