#include "formats/onnx/type_inference.h"

#include "formats/onnx/fused_types.h"
#include "formats/onnx/schema_context.h"
#include "tensor/custom_operator.h"

namespace edgewright {
namespace {

using onnx_io::SymbolicValues;

// An error of a subgraph on its way through the schema's inference function.
struct SubgraphFailure : std::exception {
  explicit SubgraphFailure(Error e) : error(std::move(e)) {}
  Error error;
};

std::string place(const Node& node) {
  const bool has_output = node.output(0) != nullptr;
  return fmt::format("node '{}' ({})",
                     node.name.empty() && has_output ? node.output(0)->name : node.name, node.op);
}

bool knows_all_inputs(const Node& node) {
  for (const Value* input : node.inputs) {
    if (input != nullptr && input->type.kind == ValueType::Kind::kUnknown) return false;
  }
  return true;
}

CustomPort port_of(const Value* value) {
  CustomPort port;
  if (value == nullptr || !value->type.is_tensor()) return port;
  port.dtype = value->type.dtype;
  port.has_rank = value->type.shape.has_value();
  for (const Dim& dim : value->type.shape.value_or(Shape{})) port.dims.push_back(dim.value);
  if (value->is_constant()) port.data = value->constant->bytes();
  return port;
}

// Types by the shape function of the library that brought the operator.
Status infer_custom(Node& node, const CustomOperator& custom) {
  if (!knows_all_inputs(node)) return {};
  std::vector<CustomPort> inputs;
  for (const Value* input : node.inputs) inputs.push_back(port_of(input));
  EDGEWRIGHT_ASSIGN(const auto outputs, custom.infer(node.attributes, inputs, node.outputs.size()));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == nullptr) continue;
    ValueType type = ValueType::tensor(outputs[i].dtype);
    if (outputs[i].has_rank) type.shape.emplace();
    for (const int64_t dim : outputs[i].dims) {
      type.shape->push_back(dim >= 0 ? Dim(dim) : Dim());
    }
    EDGEWRIGHT_ASSIGN(node.outputs[i]->type, onnx_io::merged(node.outputs[i]->type, type));
  }
  return {};
}

class Inference {
 public:
  Status infer(Graph& graph) {
    for (Node& node : graph.nodes()) EDGEWRIGHT_TRY(infer(node));
    return {};
  }

  Status infer(Node& node) {
    Status status = infer_unplaced(node);
    return status.ok() ? status : std::move(status).error().at(place(node));
  }

 private:
  Status infer_unplaced(Node& node) {
    const onnx::OpSchema* schema = onnx_io::typing_schema_of(node);
    if (schema == nullptr) {
      const CustomOperator* custom = find_custom_operator(node.domain, node.op);
      if (custom != nullptr) return infer_custom(node, *custom);
      onnx_io::infer_fused_types(node);
      return infer_subgraphs(node);
    }
    if (!schema->has_type_and_shape_inference_function()) return infer_subgraphs(node);
    onnx_io::NodeContext context(node, symbols_, [this](Graph& graph) {
      if (auto status = infer(graph); !status.ok()) {
        throw SubgraphFailure(std::move(status).error());
      }
    });
    try {
      schema->GetTypeAndShapeInferenceFunction()(context);
    } catch (SubgraphFailure& failure) {
      return std::move(failure.error);
    } catch (const std::exception& exception) {
      if (!knows_all_inputs(node)) return infer_subgraphs(node);
      return bad_input("{}", exception.what());
    }
    return set_output_types(node, context);
  }

  Status infer_subgraphs(Node& node) {
    for (auto& [name, subgraph] : node.subgraphs) EDGEWRIGHT_TRY(infer(*subgraph));
    return {};
  }

  Status set_output_types(Node& node, const onnx_io::NodeContext& context) {
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      Value* output = node.outputs[i];
      if (output == nullptr) continue;
      symbols_.forget(output);
      EDGEWRIGHT_ASSIGN(const ValueType type, onnx_io::from_type_proto(context.output(i)));
      auto both = onnx_io::merged(output->type, type);
      if (!both.ok()) {
        return std::move(both).error().at(fmt::format("output '{}'", output->name));
      }
      output->type = *std::move(both);
    }
    return {};
  }

  SymbolicValues symbols_;
};

class OnnxTypeInferer : public TypeInferer {
 public:
  Status infer(Node& node) const override { return Inference().infer(node); }
  Status infer(Graph& graph) const override { return Inference().infer(graph); }
};

}  // namespace

const TypeInferer& onnx_type_inferer() {
  static const OnnxTypeInferer inferer;
  return inferer;
}

}  // namespace edgewright
