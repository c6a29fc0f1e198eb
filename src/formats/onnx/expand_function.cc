// Operators that ONNX defines by a function: the body takes the node's place.
#include <onnx/defs/schema.h>

#include "formats/onnx/import_graph.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/opset_upgrades.h"

namespace edgewright {
namespace {

onnx::NodeProto to_node_proto(const Node& node) {
  onnx::NodeProto proto;
  proto.set_op_type(node.op);
  proto.set_domain(node.domain);
  for (const Value* input : node.inputs) proto.add_input(input == nullptr ? "" : input->name);
  for (const Value* output : node.outputs) proto.add_output(output == nullptr ? "" : output->name);
  for (const auto& [name, value] : node.attributes) {
    onnx_io::to_attribute_proto(name, value, *proto.add_attribute());
  }
  return proto;
}

std::vector<onnx::TypeProto> input_types(const Node& node) {
  std::vector<onnx::TypeProto> types(node.inputs.size());
  for (size_t i = 0; i < types.size(); ++i) {
    const Value* input = node.inputs[i];
    if (input != nullptr && input->type.kind != ValueType::Kind::kUnknown) {
      onnx_io::to_type_proto(input->type, types[i]);
    }
  }
  return types;
}

// The body refers to attributes of the node; those that it leaves out have the schema's defaults.
Status add_default_attributes(Node& node, const onnx::OpSchema& schema) {
  for (const auto& [name, attribute] : schema.attributes()) {
    if (node.attributes.contains(name)) continue;
    onnx::AttributeProto proto = attribute.default_value;
    if (proto.type() == onnx::AttributeProto::UNDEFINED) continue;
    EDGEWRIGHT_ASSIGN(AttributeValue value, onnx_io::take_attribute(proto, nullptr));
    node.attributes.set(name, std::move(value));
  }
  return {};
}

// The newest body that is written for the canonical opset.
bool build_body(const Node& node, const onnx::OpSchema& schema, onnx::FunctionProto& body) {
  if (schema.HasContextDependentFunction()) {
    const onnx::NodeProto proto = to_node_proto(node);
    const auto types = input_types(node);
    const onnx::FunctionBodyBuildContextImpl context(proto, types);
    return schema.BuildContextDependentFunction(context, body);
  }
  const onnx::FunctionProto* found = schema.HasFunction() ? schema.GetFunction() : nullptr;
  if (found != nullptr) body = *found;
  return found != nullptr;
}

}  // namespace

Result<bool> expand_function(Graph& graph, Node& node) {
  const onnx::OpSchema* schema =
      node.domain.empty() ? onnx::OpSchemaRegistry::Schema(node.op, kCanonicalOpset, "")
                          : onnx::OpSchemaRegistry::Schema(node.op, node.domain);
  if (schema == nullptr || !node.subgraphs.empty()) return false;
  try {
    if (!schema->HasFunction() && !schema->HasContextDependentFunction()) return false;
    EDGEWRIGHT_TRY(add_default_attributes(node, *schema));
    onnx::FunctionProto body;
    if (!build_body(node, *schema, body)) return false;
    const onnx_io::Opsets opsets = {{"", kCanonicalOpset}};
    onnx_io::GraphImporter importer(nullptr, {}, opsets, false);
    EDGEWRIGHT_TRY(importer.expand(graph, &node, body));
    // The body may be written for the opset in which its own operators changed last.
    EDGEWRIGHT_TRY(onnx_io::upgrade(graph, opsets, importer.node_opsets()));
  } catch (const std::exception& error) {
    return bad_input("the function of {} cannot be opened: {}", node.op, error.what());
  }
  return true;
}

}  // namespace edgewright
