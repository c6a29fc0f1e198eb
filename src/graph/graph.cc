#include "graph/graph.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>

namespace edgewright {
namespace {

void remove_use(Value* value, const Use& use) {
  if (value == nullptr) return;
  const auto it = std::find(value->uses.begin(), value->uses.end(), use);
  EDGEWRIGHT_CHECK(it != value->uses.end());
  *it = value->uses.back();
  value->uses.pop_back();
}

void drop_uses_of_outer_values(Graph& graph) {
  for (Node& node : graph.nodes()) {
    for (size_t i = 0; i < node.inputs.size(); ++i) remove_use(node.inputs[i], {&node, i});
    node.inputs.clear();
    for (auto& [name, subgraph] : node.subgraphs) drop_uses_of_outer_values(*subgraph);
  }
}

}  // namespace

bool Value::is_graph_input() const {
  return producer == nullptr && std::ranges::find(graph->inputs(), this) != graph->inputs().end();
}

bool Value::is_graph_output() const {
  return std::ranges::find(graph->outputs(), this) != graph->outputs().end();
}

Graph* Node::subgraph(std::string_view attribute) const {
  for (const auto& [attribute_name, graph_pointer] : subgraphs) {
    if (attribute_name == attribute) return graph_pointer.get();
  }
  return nullptr;
}

Graph::~Graph() {
  // Subgraphs refer to values of this graph, so they go first, and the values last.
  for (Node& node : nodes_) node.subgraphs.clear();
  nodes_.clear();
}

std::vector<Node*> Graph::node_list() {
  std::vector<Node*> list;
  list.reserve(nodes_.size());
  for (Node& node : nodes_) list.push_back(&node);
  return list;
}

bool Graph::name_taken(const std::string& candidate) const {
  for (const Graph* scope = this; scope != nullptr;
       scope = scope->parent == nullptr ? nullptr : scope->parent->graph) {
    if (scope->by_name_.contains(candidate)) return true;
  }
  return false;
}

std::string Graph::fresh_name(std::string_view base) {
  std::string candidate(base.empty() ? std::string_view("value") : base);
  if (!name_taken(candidate)) return candidate;
  int& suffix = next_suffix_[candidate];
  std::string numbered;
  do {
    numbered = fmt::format("{}_{}", candidate, ++suffix);
  } while (name_taken(numbered));
  return numbered;
}

Value* Graph::find_value(std::string_view value_name) {
  const auto it = by_name_.find(value_name);
  return it == by_name_.end() ? nullptr : it->second;
}

Value* Graph::new_value(std::string value_name) {
  Value& value = values_.emplace_back();
  value.position = std::prev(values_.end());
  value.name = fresh_name(value_name);
  value.graph = this;
  by_name_[value.name] = &value;
  return &value;
}

void Graph::drop_value(Value* value) {
  EDGEWRIGHT_CHECK(value->uses.empty() && !value->is_graph_output());
  by_name_.erase(value->name);
  values_.erase(value->position);
}

void Graph::rename(Value* value, std::string new_name) {
  if (value->name == new_name) return;
  by_name_.erase(value->name);
  value->name = fresh_name(new_name);
  by_name_[value->name] = value;
}

Value* Graph::add_input(std::string input_name, ValueType type) {
  Value* value = new_value(std::move(input_name));
  value->type = std::move(type);
  inputs_.push_back(value);
  return value;
}

Value* Graph::add_constant(std::string constant_name, Tensor tensor) {
  Value* value = new_value(std::move(constant_name));
  value->type = ValueType::of(tensor);
  value->constant = std::move(tensor);
  return value;
}

void Graph::remove_input(size_t index) {
  Value* value = inputs_[index];
  inputs_.erase(inputs_.begin() + static_cast<std::ptrdiff_t>(index));
  if (!value->is_constant()) drop_value(value);
}

void Graph::make_constant(Value* value, Tensor tensor) {
  std::erase(inputs_, value);
  if (value->producer != nullptr) {
    value->producer->outputs[value->output_index] = nullptr;
    value->producer = nullptr;
    value->output_index = 0;
  }
  value->type = ValueType::of(tensor);
  value->constant = std::move(tensor);
}

Node* Graph::add_node(std::string op, std::vector<Value*> node_inputs,
                      std::vector<std::string> output_names, Attributes attributes,
                      std::string domain, Node* before) {
  const auto where = before == nullptr ? nodes_.end() : before->position;
  const auto it = nodes_.emplace(where);
  Node& node = *it;
  node.position = it;
  node.graph = this;
  node.op = std::move(op);
  node.domain = std::move(domain);
  node.attributes = std::move(attributes);
  for (size_t i = 0; i < node_inputs.size(); ++i) set_input(&node, i, node_inputs[i]);
  for (auto& output_name : output_names) {
    if (output_name.empty()) {
      node.outputs.push_back(nullptr);
    } else {
      add_node_output(&node, std::move(output_name));
    }
  }
  return &node;
}

Value* Graph::add_node_output(Node* node, std::string output_name) {
  Value* value = new_value(std::move(output_name));
  value->producer = node;
  value->output_index = node->outputs.size();
  node->outputs.push_back(value);
  return value;
}

void Graph::drop_node_output(Node* node, size_t index) {
  if (Value* value = node->outputs[index]; value != nullptr) drop_value(value);
  node->outputs[index] = nullptr;
  while (!node->outputs.empty() && node->outputs.back() == nullptr) node->outputs.pop_back();
}

void Graph::erase(Node* node) {
  for (size_t i = 0; i < node->inputs.size(); ++i) remove_use(node->inputs[i], {node, i});
  node->inputs.clear();
  for (auto& [attribute, subgraph] : node->subgraphs) drop_uses_of_outer_values(*subgraph);
  node->subgraphs.clear();
  for (Value* output : node->outputs) {
    if (output != nullptr) drop_value(output);
  }
  nodes_.erase(node->position);
}

void Graph::erase_constant(Value* value) {
  EDGEWRIGHT_CHECK(value->is_constant());
  std::erase(inputs_, value);
  drop_value(value);
}

void Graph::set_input(Node* node, size_t index, Value* value) {
  if (index >= node->inputs.size()) node->inputs.resize(index + 1, nullptr);
  Value*& slot = node->inputs[index];
  remove_use(slot, {node, index});
  slot = value;
  if (value != nullptr) value->uses.push_back({node, index});
}

void Graph::remove_trailing_omitted_inputs(Node* node) {
  while (!node->inputs.empty() && node->inputs.back() == nullptr) node->inputs.pop_back();
}

void Graph::replace_uses(Value* from, Value* to, bool keep_name) {
  EDGEWRIGHT_CHECK(from != to);
  const std::vector<Use> uses = from->uses;
  for (const Use& use : uses) set_input(use.node, use.index, to);
  if (from->graph != this) return;
  // Two graph outputs may not have one name, and an input's name belongs to the input.
  const bool exchange = keep_name && to->graph == this && !to->is_constant() &&
                        !to->is_graph_output() && !to->is_graph_input();
  std::ranges::replace(outputs_, from, to);
  if (exchange) {
    std::swap(by_name_[from->name], by_name_[to->name]);
    std::swap(from->name, to->name);
  }
}

Graph* Graph::add_subgraph(Node* node, std::string attribute) {
  auto subgraph = std::make_unique<Graph>();
  subgraph->parent = node;
  Graph* pointer = subgraph.get();
  const auto it = std::ranges::upper_bound(node->subgraphs, attribute, {},
                                           [](const auto& entry) { return entry.first; });
  node->subgraphs.emplace(it, std::move(attribute), std::move(subgraph));
  return pointer;
}

void Graph::move_before(Node* node, Node* before) {
  nodes_.splice(before->position, nodes_, node->position);
}

size_t Graph::remove_dead() {
  size_t removed = 0;
  const std::unordered_set<const Value*> kept(outputs_.begin(), outputs_.end());
  const auto is_live = [&](const Value* value) {
    return value != nullptr && (!value->uses.empty() || kept.contains(value));
  };
  for (auto it = nodes_.end(); it != nodes_.begin();) {
    Node& node = *--it;
    for (auto& [attribute, subgraph] : node.subgraphs) removed += subgraph->remove_dead();
    if (std::ranges::any_of(node.outputs, is_live)) continue;
    ++it;
    erase(&node);
    ++removed;
  }
  std::vector<Value*> unused;
  for (Value& value : values_) {
    if (value.is_constant() && !is_live(&value)) unused.push_back(&value);
  }
  for (Value* value : unused) erase_constant(value);
  return removed;
}

void for_each_node(Graph& graph, const std::function<void(Node&)>& visit) {
  for (Node* node : graph.node_list()) {
    visit(*node);
    for (auto& [attribute, subgraph] : node->subgraphs) for_each_node(*subgraph, visit);
  }
}

void for_each_node(const Graph& graph, const std::function<void(const Node&)>& visit) {
  for (const Node& node : graph.nodes()) {
    visit(node);
    for (const auto& [attribute, subgraph] : node.subgraphs) {
      for_each_node(static_cast<const Graph&>(*subgraph), visit);
    }
  }
}

size_t count_nodes(const Graph& graph) {
  size_t count = 0;
  for_each_node(graph, [&](const Node&) { ++count; });
  return count;
}

}  // namespace edgewright
