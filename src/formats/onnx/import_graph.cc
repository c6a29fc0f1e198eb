#include "formats/onnx/import_graph.h"

#include <onnx/defs/schema.h>

#include <algorithm>
#include <climits>

namespace edgewright::onnx_io {
namespace {

std::string node_place(const onnx::NodeProto& proto) {
  const std::string& name = !proto.name().empty()     ? proto.name()
                            : proto.output_size() > 0 ? proto.output(0)
                                                      : proto.op_type();
  return fmt::format("node '{}' ({})", name, proto.op_type());
}

bool is_constant_node(const onnx::NodeProto& proto) {
  return proto.op_type() == "Constant" && canonical_domain(proto.domain()).empty();
}

}  // namespace

Status GraphImporter::import_main(onnx::GraphProto& proto, Graph& graph) {
  Scope scope;
  return import_graph(proto, graph, scope);
}

Status GraphImporter::import_graph(onnx::GraphProto& proto, Graph& graph, Scope& scope) {
  graph.name = proto.name();
  for (const auto& info : proto.value_info()) scope.types.emplace(info.name(), &info.type());
  for (const auto& info : proto.output()) scope.types.emplace(info.name(), &info.type());
  EDGEWRIGHT_TRY(add_inputs(proto, graph, scope));
  EDGEWRIGHT_TRY(add_initializers(proto, graph, scope));
  EDGEWRIGHT_TRY(import_nodes(*proto.mutable_node(), graph, scope, nullptr));
  EDGEWRIGHT_TRY(add_outputs(proto, graph, scope));
  if (scope.unsorted) EDGEWRIGHT_TRY(graph.sort_topologically());
  return expand_calls(graph, graph.node_list());
}

Status GraphImporter::define(const std::string& name, Value* value, Scope& scope) const {
  if (scope.values.emplace(name, value).second) return {};
  return bad_input("two values are named '{}'; every name may be defined once", name);
}

Status GraphImporter::add_inputs(const onnx::GraphProto& proto, Graph& graph, Scope& scope) {
  std::unordered_set<std::string_view> initialised;
  if (graph.parent == nullptr && !keep_initializer_inputs_) {
    for (const auto& tensor : proto.initializer()) initialised.insert(tensor.name());
    for (const auto& tensor : proto.sparse_initializer()) {
      initialised.insert(tensor.values().name());
    }
  }
  for (const auto& info : proto.input()) {
    if (info.name().empty()) return bad_input("graph '{}' has an input without a name", graph.name);
    if (initialised.contains(info.name())) continue;
    auto type = from_type_proto(info.type());
    if (!type.ok()) return std::move(type).error().at(fmt::format("input '{}'", info.name()));
    EDGEWRIGHT_TRY(define(info.name(), graph.add_input(info.name(), *std::move(type)), scope));
  }
  return {};
}

Status GraphImporter::add_constant(const std::string& name, Result<Tensor> tensor, Graph& graph,
                                   Scope& scope) {
  if (!tensor.ok()) return std::move(tensor).error().at("initializer");
  if (name.empty()) return bad_input("graph '{}' has an initializer without a name", graph.name);
  const auto it = scope.values.find(name);
  if (it == scope.values.end()) {
    return define(name, graph.add_constant(name, *std::move(tensor)), scope);
  }
  // An input with a default value.
  if (it->second->is_constant() || it->second->producer != nullptr) {
    return bad_input("two initializers are named '{}'", name);
  }
  it->second->type = ValueType::of(*tensor);
  it->second->constant = *std::move(tensor);
  return {};
}

Status GraphImporter::add_initializers(onnx::GraphProto& proto, Graph& graph, Scope& scope) {
  for (auto& tensor : *proto.mutable_initializer()) {
    EDGEWRIGHT_TRY(add_constant(tensor.name(), take_tensor(tensor, external_), graph, scope));
  }
  for (auto& sparse : *proto.mutable_sparse_initializer()) {
    const std::string name = sparse.values().name();
    EDGEWRIGHT_TRY(add_constant(name, take_dense(sparse, external_), graph, scope));
  }
  return {};
}

Status GraphImporter::add_outputs(const onnx::GraphProto& proto, Graph& graph, Scope& scope) {
  std::unordered_set<std::string_view> seen;
  scope.position = INT_MAX;
  for (const auto& info : proto.output()) {
    if (graph.parent == nullptr && !seen.insert(info.name()).second) {
      return bad_input("two graph outputs are named '{}'", info.name());
    }
    EDGEWRIGHT_ASSIGN(Value * value, resolve(info.name(), scope));
    if (value == nullptr) return bad_input("graph '{}' has an output without a name", graph.name);
    if (value->graph != &graph) {
      // A branch that gives a value of the graph around it.
      Node* identity = graph.add_node("Identity", {value}, {info.name()});
      if (scope.opsets != nullptr) node_opsets_[identity] = scope.opsets;
      identity->outputs[0]->type = value->type;
      value = identity->outputs[0];
    }
    graph.add_output(value);
  }
  return {};
}

Status GraphImporter::import_nodes(Nodes& protos, Graph& graph, Scope& scope, Node* before) {
  std::vector<Node*> nodes;
  nodes.reserve(static_cast<size_t>(protos.size()));
  for (auto& proto : protos) {
    auto node = declare_node(proto, graph, scope, before);
    if (!node.ok()) return std::move(node).error().at(node_place(proto));
    nodes.push_back(*node);
  }
  for (int i = 0; i < protos.size(); ++i) {
    Node* node = nodes[static_cast<size_t>(i)];
    scope.position = i;
    if (node == nullptr) continue;
    const std::string place = node_place(protos[i]);
    if (auto status = connect_node(protos[i], node, scope); !status.ok()) {
      return std::move(status).error().at(place);
    }
  }
  return {};
}

// Makes the node with its outputs, so that names are known before anything refers to them. Null for
// a Constant, which becomes a constant of the graph.
Result<Node*> GraphImporter::declare_node(onnx::NodeProto& proto, Graph& graph, Scope& scope,
                                          Node* before) {
  const int position = scope.position++;
  EDGEWRIGHT_TRY(resolve_references(proto, scope));
  if (is_constant_node(proto) && proto.output_size() == 1) {
    EDGEWRIGHT_TRY(declare_constant(proto, graph, scope));
    return static_cast<Node*>(nullptr);
  }
  if (proto.op_type().empty()) return bad_input("no operator is named");
  EDGEWRIGHT_TRY(check_by_schema(proto, scope));
  std::vector<std::string> outputs(proto.output().begin(), proto.output().end());
  while (!outputs.empty() && outputs.back().empty()) outputs.pop_back();
  Node* node =
      graph.add_node(proto.op_type(), {}, outputs, {}, canonical_domain(proto.domain()), before);
  node->name = proto.name();
  node->overload = proto.overload();
  scope.positions[node] = position;
  if (scope.opsets != nullptr) node_opsets_[node] = scope.opsets;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].empty()) continue;
    EDGEWRIGHT_TRY(define(outputs[i], node->outputs[i], scope));
    EDGEWRIGHT_TRY(apply_type(node->outputs[i], outputs[i], scope));
  }
  return node;
}

// Numbers of inputs and outputs and attributes, where the operator is known.
Status GraphImporter::check_by_schema(const onnx::NodeProto& proto, const Scope& scope) const {
  const std::string domain = canonical_domain(proto.domain());
  if (functions_.contains(function_key(domain, proto.op_type(), proto.overload()))) return {};
  const Opsets& opsets = scope.opsets != nullptr ? *scope.opsets : opsets_;
  const auto version = opsets.find(domain);
  if (version == opsets.end()) return {};
  const auto* schema = onnx::OpSchemaRegistry::Schema(proto.op_type(), version->second, domain);
  if (schema == nullptr || schema->deprecated()) return {};
  try {
    schema->Verify(proto);
  } catch (const std::exception& exception) {
    return bad_input("{} (by opset {} of domain '{}')", exception.what(), version->second, domain);
  }
  return {};
}

Status GraphImporter::declare_constant(onnx::NodeProto& proto, Graph& graph, Scope& scope) {
  Node holder;
  EDGEWRIGHT_TRY(take_attributes(proto, &holder, nullptr));
  EDGEWRIGHT_ASSIGN(Tensor tensor, constant_of_attributes(holder.attributes));
  const std::string& name = proto.output(0);
  if (name.empty()) return {};
  const auto it = scope.values.find(name);
  const bool redefines =
      scope.call_attributes == nullptr && it != scope.values.end() && it->second->is_constant();
  if (!redefines) return define(name, graph.add_constant(name, std::move(tensor)), scope);
  // Exporters of language models write some constants twice; the last one counts, as it does in
  // ONNX Runtime.
  graph.make_constant(it->second, std::move(tensor));
  return {};
}

Status GraphImporter::connect_node(onnx::NodeProto& proto, Node* node, Scope& scope) {
  for (int i = 0; i < proto.input_size(); ++i) {
    EDGEWRIGHT_ASSIGN(Value* const value, resolve(proto.input(i), scope));
    node->graph->set_input(node, static_cast<size_t>(i), value);
  }
  node->graph->remove_trailing_omitted_inputs(node);
  return take_attributes(proto, node, &scope);
}

// References to attributes of the call become its values; absent ones go.
Status GraphImporter::resolve_references(onnx::NodeProto& proto, const Scope& scope) const {
  const CallAttributes* call = scope.call_attributes;
  for (const Scope* s = &scope; call == nullptr && s->parent != nullptr; s = s->parent) {
    call = s->parent->call_attributes;
  }
  auto& attributes = *proto.mutable_attribute();
  for (int i = attributes.size() - 1; i >= 0; --i) {
    const std::string reference = attributes[i].ref_attr_name();
    if (reference.empty()) continue;
    if (call == nullptr) {
      return bad_input("attribute '{}' refers to '{}' outside of a function", attributes[i].name(),
                       reference);
    }
    const auto it = call->find(reference);
    if (it == call->end()) {
      attributes.DeleteSubrange(i, 1);
      continue;
    }
    const std::string name = attributes[i].name();
    attributes[i] = it->second;
    attributes[i].set_name(name);
  }
  return {};
}

Status GraphImporter::take_attributes(onnx::NodeProto& proto, Node* node, Scope* subgraph_parent) {
  for (auto& attribute : *proto.mutable_attribute()) {
    const std::string& name = attribute.name();
    if (name.empty()) return bad_input("an attribute without a name");
    if (node->attributes.contains(name) || node->subgraph(name) != nullptr) {
      return bad_input("attribute '{}' is given twice", name);
    }
    const auto type = attribute_type(attribute);
    if (type == onnx::AttributeProto::GRAPHS) {
      return unsupported("attribute '{}' is a list of graphs", name);
    }
    if (type != onnx::AttributeProto::GRAPH) {
      EDGEWRIGHT_ASSIGN(AttributeValue value, take_attribute(attribute, external_));
      node->attributes.set(name, std::move(value));
      continue;
    }
    if (subgraph_parent == nullptr) return bad_input("attribute '{}' is a graph", name);
    Scope scope;
    scope.parent = subgraph_parent;
    scope.opsets = subgraph_parent->opsets;
    Graph* subgraph = node->graph->add_subgraph(node, name);
    EDGEWRIGHT_TRY(import_graph(*attribute.mutable_g(), *subgraph, scope));
  }
  return {};
}

Status GraphImporter::apply_type(Value* value, const std::string& name, const Scope& scope) const {
  const auto it = scope.types.find(name);
  if (it == scope.types.end()) return {};
  auto type = from_type_proto(*it->second);
  if (!type.ok()) return std::move(type).error().at(fmt::format("type of '{}'", name));
  value->type = *std::move(type);
  return {};
}

// Null for the empty name and for omitted inputs of a function.
Result<Value*> GraphImporter::resolve(const std::string& name, const Scope& scope) const {
  if (name.empty()) return static_cast<Value*>(nullptr);
  for (const Scope* s = &scope; s != nullptr; s = s->parent) {
    const auto it = s->values.find(name);
    if (it == s->values.end()) continue;
    Value* value = it->second;
    if (value != nullptr && value->producer != nullptr) {
      const auto made = s->positions.find(value->producer);
      if (made != s->positions.end() && made->second >= s->position) s->unsorted = true;
    }
    return value;
  }
  return bad_input("'{}' is used but never defined; is the model cut short?", name);
}

}  // namespace edgewright::onnx_io
