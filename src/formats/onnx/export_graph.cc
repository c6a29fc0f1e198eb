#include "formats/onnx/export_graph.h"

#include "formats/onnx/proto.h"

namespace edgewright::onnx_io {
namespace {

// Whether the type says enough to be written.
bool is_complete(const ValueType& type) {
  using Kind = ValueType::Kind;
  if (type.kind == Kind::kUnknown) return false;
  if (type.kind == Kind::kTensor || type.kind == Kind::kSparseTensor) {
    return type.dtype != DType::kUndefined;
  }
  return type.element == nullptr || is_complete(*type.element);
}

void fill_value_info(const std::string& name, const ValueType& type, onnx::ValueInfoProto& proto) {
  proto.set_name(name);
  if (is_complete(type)) to_type_proto(type, *proto.mutable_type());
}

}  // namespace

const std::string& GraphExporter::name_of(const Value& value) {
  const auto it = names_.find(&value);
  return it == names_.end() ? value.name : it->second;
}

// A graph's values are named before those of its subgraphs: the names of inputs and outputs of the
// model stay.
void GraphExporter::name_values(const Graph& graph) {
  for (const Value& value : graph.values()) {
    std::string name = value.name;
    for (int i = 1; !taken_.insert(name).second; ++i) name = fmt::format("{}_{}", value.name, i);
    names_[&value] = std::move(name);
  }
}

void GraphExporter::fill_without_constants(const Graph& graph, onnx::GraphProto& proto) {
  name_values(graph);
  proto.set_name(graph.name.empty() ? "graph" : graph.name);
  for (const Value* input : graph.inputs()) {
    fill_value_info(name_of(*input), input->type, *proto.add_input());
  }
  for (const Node& node : graph.nodes()) fill_node(node, *proto.add_node());
  fill_outputs(graph, proto);
  const std::unordered_set<const Value*> outputs(graph.outputs().begin(), graph.outputs().end());
  for (const Value& value : graph.values()) {
    if (value.producer == nullptr || !is_complete(value.type) || outputs.contains(&value)) continue;
    fill_value_info(name_of(value), value.type, *proto.add_value_info());
  }
}

// A value that is given twice needs a second name.
void GraphExporter::fill_outputs(const Graph& graph, onnx::GraphProto& proto) {
  std::unordered_set<const Value*> given;
  for (const Value* output : graph.outputs()) {
    std::string name = name_of(*output);
    if (!given.insert(output).second) {
      onnx::NodeProto& copy = *proto.add_node();
      copy.set_op_type("Identity");
      copy.add_input(name);
      const std::string base = name;
      for (int i = 1; !taken_.insert(name).second; ++i) name = fmt::format("{}_{}", base, i);
      copy.add_output(name);
    }
    fill_value_info(name, output->type, *proto.add_output());
  }
}

void GraphExporter::fill_subgraph(const Graph& graph, onnx::GraphProto& proto) {
  fill_without_constants(graph, proto);
  for (const Value& value : graph.values()) {
    if (!value.is_constant()) continue;
    onnx::TensorProto& tensor = *proto.add_initializer();
    tensor.set_name(name_of(value));
    to_tensor_proto(*value.constant, tensor);
  }
}

void GraphExporter::fill_node(const Node& node, onnx::NodeProto& proto) {
  domains_.insert(node.domain);
  for (const Value* input : node.inputs) proto.add_input(input == nullptr ? "" : name_of(*input));
  for (const Value* output : node.outputs) {
    proto.add_output(output == nullptr ? "" : name_of(*output));
  }
  if (!node.name.empty()) proto.set_name(node.name);
  proto.set_op_type(node.op);
  if (!node.domain.empty()) proto.set_domain(node.domain);
  if (!node.overload.empty()) proto.set_overload(node.overload);
  for (const auto& [name, value] : node.attributes) {
    to_attribute_proto(name, value, *proto.add_attribute());
  }
  for (const auto& [name, subgraph] : node.subgraphs) {
    onnx::AttributeProto& attribute = *proto.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    // Sibling graphs may use the same names.
    const std::unordered_set<std::string> outer_names = taken_;
    fill_subgraph(*subgraph, *attribute.mutable_g());
    taken_ = outer_names;
  }
}

}  // namespace edgewright::onnx_io
