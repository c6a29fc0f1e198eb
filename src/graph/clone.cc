#include <unordered_map>

#include "graph/graph.h"

namespace edgewright {
namespace {

using ValueMap = std::unordered_map<const Value*, Value*>;

void copy_body(const Graph& source, Graph& target, ValueMap& map, Node* before);

// Copies a whole graph, its inputs and outputs included, into an empty one.
void copy_into(const Graph& source, Graph& target, ValueMap& map) {
  target.name = source.name;
  for (const Value* input : source.inputs()) {
    Value* copy = target.add_input(input->name, input->type);
    copy->constant = input->constant;
    map[input] = copy;
  }
  copy_body(source, target, map, nullptr);
  for (const Value* output : source.outputs()) {
    const auto it = map.find(output);
    target.add_output(it == map.end() ? const_cast<Value*>(output) : it->second);
  }
}

// Copies constants and nodes; the map holds the copies of what they refer to.
void copy_body(const Graph& source, Graph& target, ValueMap& map, Node* before) {
  const auto mapped = [&](const Value* value) -> Value* {
    if (value == nullptr) return nullptr;
    const auto it = map.find(value);
    // A value outside the copied graph is a capture of a subgraph that is copied alone.
    return it == map.end() ? const_cast<Value*>(value) : it->second;
  };
  for (const Value& value : source.values()) {
    if (!value.is_constant() || map.contains(&value)) continue;
    Value* copy = target.add_constant(value.name, *value.constant);
    copy->type = value.type;
    map[&value] = copy;
  }
  for (const Node& node : source.nodes()) {
    std::vector<Value*> inputs;
    for (const Value* input : node.inputs) inputs.push_back(mapped(input));
    std::vector<std::string> names;
    for (const Value* output : node.outputs) names.push_back(output ? output->name : "");
    Node* copy = target.add_node(node.op, std::move(inputs), std::move(names), node.attributes,
                                 node.domain, before);
    copy->name = node.name;
    copy->overload = node.overload;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == nullptr) continue;
      copy->outputs[i]->type = node.outputs[i]->type;
      map[node.outputs[i]] = copy->outputs[i];
    }
    for (const auto& [attribute, subgraph] : node.subgraphs) {
      copy_into(*subgraph, *target.add_subgraph(copy, attribute), map);
    }
  }
}

}  // namespace

std::vector<Value*> inline_graph(const Graph& body, std::span<Value* const> arguments,
                                 Graph& target, Node* before) {
  EDGEWRIGHT_CHECK(arguments.size() == body.inputs().size());
  ValueMap map;
  for (size_t i = 0; i < arguments.size(); ++i) map[body.inputs()[i]] = arguments[i];
  copy_body(body, target, map, before);
  std::vector<Value*> results;
  for (Value* output : body.outputs()) {
    const auto it = map.find(output);
    results.push_back(it == map.end() ? output : it->second);
  }
  return results;
}

std::unique_ptr<Graph> clone(const Graph& graph) {
  auto copy = std::make_unique<Graph>();
  ValueMap map;
  copy_into(graph, *copy, map);
  return copy;
}

Model clone(const Model& model) {
  Model copy;
  copy.graph = clone(*model.graph);
  copy.source_opset = model.source_opset;
  copy.domain_versions = model.domain_versions;
  copy.ir_version = model.ir_version;
  copy.producer_name = model.producer_name;
  copy.producer_version = model.producer_version;
  copy.documentation = model.documentation;
  copy.metadata = model.metadata;
  return copy;
}

}  // namespace edgewright
