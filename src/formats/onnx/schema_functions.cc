#include "formats/onnx/schema_functions.h"

#include <set>

#include "formats/onnx/adapter_edits.h"
#include "formats/onnx/export_graph.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/opset_upgrades.h"
#include "formats/onnx/schema_context.h"

namespace edgewright {
namespace {

using onnx_io::schema_of;

// Attributes that the node leaves out count with their defaults.
void add_defaults(const onnx::OpSchema& schema, onnx::FunctionProto& body) {
  std::set<std::string> given;
  for (const auto& attribute : body.attribute_proto()) given.insert(attribute.name());
  for (const auto& [name, attribute] : schema.attributes()) {
    if (attribute.default_value.name().empty() || given.contains(name)) continue;
    *body.add_attribute_proto() = attribute.default_value;
  }
}

bool build_body(const onnx::OpSchema& schema, const Node& node, onnx::FunctionProto& body) {
  if (schema.HasContextDependentFunction()) {
    onnx::NodeProto proto;
    onnx_io::GraphExporter exporter;
    exporter.fill_node(node, proto);
    std::vector<onnx::TypeProto> types(node.inputs.size());
    for (size_t i = 0; i < types.size(); ++i) {
      if (node.inputs[i] != nullptr) onnx_io::to_type_proto(node.inputs[i]->type, types[i]);
    }
    onnx::FunctionBodyBuildContextImpl context(proto, types);
    if (schema.BuildContextDependentFunction(context, body, kCanonicalOpset)) return true;
  }
  const onnx::FunctionProto* fixed =
      schema.HasFunction() ? schema.GetFunction(kCanonicalOpset) : nullptr;
  if (fixed == nullptr) return false;
  body = *fixed;
  return true;
}

}  // namespace

bool has_function_body(const Node& node) {
  const onnx::OpSchema* schema = schema_of(node);
  return schema != nullptr && (schema->HasFunction() || schema->HasContextDependentFunction());
}

bool is_deterministic(const Node& node) {
  const onnx::OpSchema* schema = schema_of(node);
  return schema != nullptr &&
         schema->GetNodeDeterminism() != onnx::OpSchema::NodeDeterminism::NonDeterministic;
}

Result<bool> expand_function(Graph& graph, Node& node) {
  if (!has_function_body(node)) return false;
  const onnx::OpSchema& schema = *schema_of(node);
  const std::string place = fmt::format("definition of node '{}' ({})", node.name, node.op);
  // A body that is built for the node holds its graphs already; a fixed one would lose them.
  if (!node.subgraphs.empty() && !schema.HasContextDependentFunction()) {
    return unsupported("{}: a graph is passed to a function", place);
  }
  onnx::FunctionProto body;
  try {
    if (!build_body(schema, node, body)) return false;
  } catch (const std::exception& exception) {
    return bad_input("{}: {}", place, exception.what());
  }
  add_defaults(schema, body);
  onnx_io::GraphImporter importer(nullptr, {}, {}, false);
  Node* before = node.position == graph.nodes().begin() ? nullptr : &*std::prev(node.position);
  Node* after = onnx_io::next_node(node);
  if (auto status = importer.expand(graph, &node, body); !status.ok()) {
    return std::move(status).error().at(place);
  }
  const auto first = before == nullptr ? graph.nodes().begin() : std::next(before->position);
  const auto last = after == nullptr ? graph.nodes().end() : after->position;
  auto status = onnx_io::upgrade(graph, first, last, {}, importer.node_opsets());
  if (!status.ok()) return std::move(status).error().at(place);
  return true;
}

int first_opset(const std::string& op) {
  for (int opset = 1; opset <= kCanonicalOpset; ++opset) {
    if (onnx::OpSchemaRegistry::Schema(op, opset, "") != nullptr) return opset;
  }
  return 0;
}

}  // namespace edgewright
