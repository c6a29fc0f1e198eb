#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "formats/onnx/external_data.h"
#include "formats/onnx/proto.h"
#include "graph/graph.h"

namespace edgewright::onnx_io {

// Domain -> version.
using Opsets = std::map<std::string, int>;
Opsets opsets_of(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports);

// The opsets that nodes were written for, where they differ from the model's: those that came out
// of functions.
using NodeOpsets = std::unordered_map<const Node*, std::shared_ptr<const Opsets>>;

// "domain::Name", "domain::Name:overload"; only the name for ai.onnx.
std::string function_key(const std::string& domain, const std::string& name,
                         const std::string& overload);
using Functions = std::unordered_map<std::string, const onnx::FunctionProto*>;

// Turns graph messages into graphs. One importer per model; messages are consumed.
class GraphImporter {
 public:
  GraphImporter(ExternalData* external, Functions functions, Opsets opsets,
                bool keep_initializer_inputs)
      : external_(external),
        functions_(std::move(functions)),
        opsets_(std::move(opsets)),
        keep_initializer_inputs_(keep_initializer_inputs) {}

  // Fills an empty graph.
  Status import_main(onnx::GraphProto& proto, Graph& graph);
  // Puts the body of `function` in the place of `call`.
  Status expand(Graph& graph, Node* call, const onnx::FunctionProto& function);

  NodeOpsets& node_opsets() { return node_opsets_; }

 private:
  using Attributes = google::protobuf::RepeatedPtrField<onnx::AttributeProto>;
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
  using TypeTable = std::unordered_map<std::string_view, const onnx::TypeProto*>;
  using CallAttributes = std::map<std::string, onnx::AttributeProto>;

  // The names that one graph or function body defines.
  struct Scope {
    const Scope* parent = nullptr;
    std::unordered_map<std::string, Value*> values;
    TypeTable types;
    // Attributes of the call while a function body is read, and the opsets of the body.
    const CallAttributes* call_attributes = nullptr;
    std::shared_ptr<const Opsets> opsets;  // null: the model's
    // Position of every node of this scope, to see whether a value is read before it is made.
    std::unordered_map<const Node*, int> positions;
    int position = 0;
    mutable bool unsorted = false;
  };

  Status import_graph(onnx::GraphProto& proto, Graph& graph, Scope& scope);
  Status add_initializers(onnx::GraphProto& proto, Graph& graph, Scope& scope);
  Status add_inputs(const onnx::GraphProto& proto, Graph& graph, Scope& scope);
  Status add_constant(const std::string& name, Result<Tensor> tensor, Graph& graph, Scope& scope);
  Status add_outputs(const onnx::GraphProto& proto, Graph& graph, Scope& scope);
  Status import_nodes(Nodes& protos, Graph& graph, Scope& scope, Node* before);
  Result<Node*> declare_node(onnx::NodeProto& proto, Graph& graph, Scope& scope, Node* before);
  Status check_by_schema(const onnx::NodeProto& proto, const Scope& scope) const;
  Status declare_constant(onnx::NodeProto& proto, Graph& graph, Scope& scope);
  Status connect_node(onnx::NodeProto& proto, Node* node, Scope& scope);
  Status resolve_references(onnx::NodeProto& proto, const Scope& scope) const;
  Status take_attributes(onnx::NodeProto& proto, Node* node, Scope* subgraph_parent);
  Status expand_calls(Graph& graph, const std::vector<Node*>& nodes);
  static CallAttributes call_attributes(const Node& call, const onnx::FunctionProto& body);
  Status replace_call(Graph& graph, Node* call, const onnx::FunctionProto& body,
                      const Scope& scope);
  Status apply_type(Value* value, const std::string& name, const Scope& scope) const;
  Result<Value*> resolve(const std::string& name, const Scope& scope) const;
  Status define(const std::string& name, Value* value, Scope& scope) const;

  ExternalData* external_;
  Functions functions_;
  Opsets opsets_;
  bool keep_initializer_inputs_;
  NodeOpsets node_opsets_;
  std::vector<const onnx::FunctionProto*> active_;
  size_t expanded_bytes_ = 0;
};

}  // namespace edgewright::onnx_io
