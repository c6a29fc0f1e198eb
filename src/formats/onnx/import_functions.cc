// Function bodies take the place of the nodes that call them.
#include <algorithm>
#include <climits>

#include "formats/onnx/import_graph.h"

namespace edgewright::onnx_io {
namespace {

// Functions that call functions may grow exponentially; no honest model comes near this.
constexpr size_t kMaxExpandedBytes = size_t{1} << 28;

std::string key_of(const Node& node) { return function_key(node.domain, node.op, node.overload); }

}  // namespace

std::string function_key(const std::string& domain, const std::string& name,
                         const std::string& overload) {
  std::string key = canonical_domain(domain);
  if (!key.empty()) key += "::";
  key += name;
  if (!overload.empty()) key += ":" + overload;
  return key;
}

Opsets opsets_of(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports) {
  Opsets opsets;
  for (const auto& import : imports) {
    const int64_t version = std::clamp<int64_t>(import.version(), -1, 1 << 30);
    opsets[canonical_domain(import.domain())] = static_cast<int>(version);
  }
  return opsets;
}

Status GraphImporter::expand_calls(Graph& graph, const std::vector<Node*>& nodes) {
  if (functions_.empty()) return {};
  for (Node* node : nodes) {
    const auto it = functions_.find(key_of(*node));
    if (it == functions_.end()) continue;
    const std::string place = fmt::format("call of function '{}'", it->first);
    if (!node->subgraphs.empty()) {
      return unsupported("{}: a graph is passed to a function", place);
    }
    if (auto status = expand(graph, node, *it->second); !status.ok()) {
      return std::move(status).error().at(place);
    }
  }
  return {};
}

Status GraphImporter::expand(Graph& graph, Node* call, const onnx::FunctionProto& function) {
  if (std::ranges::find(active_, &function) != active_.end()) {
    return bad_input("the function calls itself; functions may not be recursive");
  }
  expanded_bytes_ += function.ByteSizeLong();
  if (expanded_bytes_ > kMaxExpandedBytes) {
    return bad_input("function calls expand to more than {} bytes", kMaxExpandedBytes);
  }
  if (call->inputs.size() > static_cast<size_t>(function.input_size()) ||
      call->outputs.size() > static_cast<size_t>(function.output_size())) {
    return bad_input("{} inputs and {} outputs, the function has {} and {}", call->inputs.size(),
                     call->outputs.size(), function.input_size(), function.output_size());
  }

  onnx::FunctionProto body = function;
  const CallAttributes attributes = call_attributes(*call, body);
  Scope scope;
  scope.call_attributes = &attributes;
  scope.opsets = std::make_shared<const Opsets>(opsets_of(body.opset_import()));
  for (const auto& info : body.value_info()) scope.types.emplace(info.name(), &info.type());
  for (int i = 0; i < body.input_size(); ++i) {
    EDGEWRIGHT_TRY(define(body.input(i), call->input(static_cast<size_t>(i)), scope));
  }
  active_.push_back(&function);
  EDGEWRIGHT_TRY(import_nodes(*body.mutable_node(), graph, scope, call));
  scope.position = INT_MAX;
  EDGEWRIGHT_TRY(replace_call(graph, call, body, scope));
  if (scope.unsorted) EDGEWRIGHT_TRY(graph.sort_topologically());
  std::vector<Node*> made;
  for (const auto& [node, position] : scope.positions) made.push_back(const_cast<Node*>(node));
  std::ranges::sort(made, {}, [&](Node* node) { return scope.positions[node]; });
  EDGEWRIGHT_TRY(expand_calls(graph, made));
  active_.pop_back();
  return {};
}

// What the body's references stand for: the attributes of the call, else the declared defaults.
GraphImporter::CallAttributes GraphImporter::call_attributes(const Node& call,
                                                             const onnx::FunctionProto& body) {
  CallAttributes attributes;
  for (const auto& fallback : body.attribute_proto()) attributes[fallback.name()] = fallback;
  for (const auto& [name, value] : call.attributes) {
    onnx::AttributeProto proto;
    to_attribute_proto(name, value, proto);
    attributes[name] = std::move(proto);
  }
  return attributes;
}

// The values that the body gives stand for the outputs of the call and take their names and types.
Status GraphImporter::replace_call(Graph& graph, Node* call, const onnx::FunctionProto& body,
                                   const Scope& scope) {
  std::vector<std::pair<Value*, std::string>> renamed;
  for (size_t i = 0; i < call->outputs.size(); ++i) {
    Value* output = call->outputs[i];
    if (output == nullptr) continue;
    const std::string& formal = body.output(static_cast<int>(i));
    EDGEWRIGHT_ASSIGN(Value * value, resolve(formal, scope));
    const bool own =
        value != nullptr && value->producer != nullptr &&
        scope.positions.contains(value->producer) &&
        std::ranges::find(renamed, value, [](auto& entry) { return entry.first; }) == renamed.end();
    if (!own) {
      if (value == nullptr) return bad_input("output '{}' is an omitted input", formal);
      Node* identity = graph.add_node("Identity", {value}, {output->name}, {}, "", call);
      value = identity->outputs[0];
    }
    if (value->type.kind == ValueType::Kind::kUnknown) value->type = output->type;
    renamed.emplace_back(value, output->name);
    graph.replace_uses(output, value);
  }
  node_opsets_.erase(call);
  graph.erase(call);
  for (auto& [value, name] : renamed) graph.rename(value, name);
  return {};
}

}  // namespace edgewright::onnx_io
