#include "formats/onnx/schema_context.h"

#include <functional>

namespace edgewright::onnx_io {
namespace {

// Larger constants are weights, which no inference function reads.
constexpr int64_t kMaxDataElements = 4096;
// Shape computations are short; longer chains of small integers are not followed.
constexpr int64_t kMaxSymbolicElements = 64;
constexpr int kMaxSymbolicDepth = 64;

std::unique_ptr<onnx::TensorShapeProto> symbolic_constant(const Tensor& tensor) {
  const bool integers = tensor.dtype() == DType::kInt64 || tensor.dtype() == DType::kInt32;
  if (!integers || tensor.rank() > 1 || tensor.element_count() > kMaxSymbolicElements) {
    return nullptr;
  }
  auto proto = std::make_unique<onnx::TensorShapeProto>();
  const auto numbers = tensor.to_int64s();
  for (const int64_t number : *numbers) proto->add_dim()->set_dim_value(number);
  return proto;
}

class SubgraphInferencer : public onnx::GraphInferencer {
 public:
  SubgraphInferencer(Graph& graph, const SubgraphInference& infer) : graph_(graph), infer_(infer) {}

  std::vector<const onnx::TypeProto*> doInferencing(
      const std::vector<const onnx::TypeProto*>& input_types,
      const std::vector<const onnx::TensorProto*>&) override {
    if (input_types.size() > graph_.inputs().size()) {
      fail_type_inference("a subgraph has ", graph_.inputs().size(), " inputs, expected ",
                          input_types.size());
    }
    for (size_t i = 0; i < input_types.size(); ++i) {
      if (input_types[i] != nullptr) set_input_type(*graph_.inputs()[i], *input_types[i]);
    }
    infer_(graph_);
    types_.clear();
    std::vector<const onnx::TypeProto*> results;
    for (const Value* output : graph_.outputs()) {
      to_type_proto(output->type, types_.emplace_back());
      results.push_back(&types_.back());
    }
    return results;
  }

 private:
  static void set_input_type(Value& input, const onnx::TypeProto& proto) {
    auto type = from_type_proto(proto);
    if (!type.ok()) fail_type_inference(type.error().message);
    auto both = merged(input.type, *type);
    if (!both.ok()) fail_type_inference("input '", input.name, "': ", both.error().message);
    input.type = *std::move(both);
  }

  Graph& graph_;
  const SubgraphInference& infer_;
  std::deque<onnx::TypeProto> types_;
};

}  // namespace

const onnx::OpSchema* schema_of(const std::string& op, const std::string& domain) {
  const onnx::OpSchema* schema = onnx::OpSchemaRegistry::Schema(op, domain);
  if (schema == nullptr || !schema->deprecated()) return schema;
  // What the standard has given up keeps the meaning that it had last.
  const int version = schema->since_version() - 1;
  return onnx::OpSchemaRegistry::Schema(op, version, domain);
}

const onnx::OpSchema* schema_of(const Node& node) { return schema_of(node.op, node.domain); }

// Operators of com.microsoft whose outputs have the types that an ONNX operator gives for the same
// inputs and attributes.
const onnx::OpSchema* typing_schema_of(const Node& node) {
  struct Likeness {
    const char* op;
    const char* like;
  };
  static constexpr Likeness kLikenesses[] = {
      {"FusedConv", "Conv"},
      {"FusedGemm", "Gemm"},
      {"GemmFloat8", "Gemm"},
      {"Gelu", "Gelu"},
      {"QuantizeLinear", "QuantizeLinear"},
      {"DequantizeLinear", "DequantizeLinear"},
      {"LayerNormalization", "LayerNormalization"},
      {"GridSample", "GridSample"},
      {"GatherND", "GatherND"},
      {"Pad", "Pad"},
      {"Trilu", "Trilu"},
      {"Range", "Range"},
      {"ReduceSumInteger", "ReduceSum"},
  };
  if (node.domain != "com.microsoft") return schema_of(node);
  for (const auto& [op, like] : kLikenesses) {
    if (node.op == op) return schema_of(like, "");
  }
  return nullptr;
}

const onnx::AttributeProto* AttributeProtos::find(const std::string& name) const {
  if (const auto it = protos_.find(name); it != protos_.end()) return &it->second;
  const AttributeValue* value = node_.attributes.find(name);
  if (value == nullptr) return nullptr;
  onnx::AttributeProto& proto = protos_[name];
  to_attribute_proto(name, *value, proto);
  return &proto;
}

// ---- values of shapes ----

// Runs the data propagation function of the node that makes a value.
class PropagationContext : public onnx::DataPropagationContext {
 public:
  PropagationContext(const Node& node, SymbolicValues& values, int depth)
      : node_(node), values_(values), depth_(depth), attributes_(node), types_(node.inputs.size()) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != nullptr) to_type_proto(node.inputs[i]->type, types_[i]);
    }
  }

  const onnx::AttributeProto* getAttribute(const std::string& name) const override {
    return attributes_.find(name);
  }
  size_t getNumInputs() const override { return types_.size(); }
  const onnx::TypeProto* getInputType(size_t index) const override {
    const Value* input = node_.input(index);
    const bool known = input != nullptr && input->type.kind != ValueType::Kind::kUnknown;
    return known ? &types_[index] : nullptr;
  }
  size_t getNumOutputs() const override { return node_.outputs.size(); }
  const onnx::TypeProto* getOutputType(size_t) const override { return nullptr; }
  const onnx::TensorShapeProto* getInputData(size_t index) override {
    return values_.find(node_.input(index), depth_ + 1);
  }
  void addOutputData(size_t index, onnx::TensorShapeProto&& value) override {
    if (index == 0) result = std::make_unique<onnx::TensorShapeProto>(std::move(value));
  }
  std::unique_ptr<onnx::TensorShapeProto> result;

 private:
  const Node& node_;
  SymbolicValues& values_;
  int depth_;
  AttributeProtos attributes_;
  std::vector<onnx::TypeProto> types_;
};

const onnx::TensorShapeProto* SymbolicValues::find(const Value* value, int depth) {
  if (value == nullptr || depth > kMaxSymbolicDepth) return nullptr;
  if (const auto it = known_.find(value); it != known_.end()) return it->second.get();
  // The entry stands while the value is computed, so that a cycle ends.
  known_[value] = nullptr;
  auto computed = compute(value, depth);
  return (known_[value] = std::move(computed)).get();
}

std::unique_ptr<onnx::TensorShapeProto> SymbolicValues::compute(const Value* value, int depth) {
  if (value->is_constant()) return symbolic_constant(*value->constant);
  if (value->producer == nullptr || value->output_index != 0) return nullptr;
  const onnx::OpSchema* schema = schema_of(*value->producer);
  if (schema == nullptr || !schema->has_data_propagation_function()) return nullptr;
  try {
    PropagationContext context(*value->producer, *this, depth);
    schema->GetDataPropagationFunction()(context);
    if (context.result == nullptr || context.result->dim_size() > kMaxSymbolicElements) {
      return nullptr;
    }
    return std::move(context.result);
  } catch (const std::exception&) {
    return nullptr;  // nothing is known; a real contradiction shows where types are inferred
  }
}

// ---- types ----

NodeContext::NodeContext(Node& node, SymbolicValues& symbols, SubgraphInference infer_subgraph)
    : node_(node),
      symbols_(symbols),
      infer_subgraph_(std::move(infer_subgraph)),
      attributes_(node),
      outputs_(node.outputs.size()) {
  for (const Value* input : node.inputs) {
    auto& proto = inputs_.emplace_back();
    if (input == nullptr || input->type.kind == ValueType::Kind::kUnknown) continue;
    proto = std::make_unique<onnx::TypeProto>();
    to_type_proto(input->type, *proto);
  }
}

const onnx::TypeProto* NodeContext::getInputType(size_t index) const {
  return index < inputs_.size() ? inputs_[index].get() : nullptr;
}

const onnx::TensorProto* NodeContext::getInputData(size_t index) const {
  const Tensor* tensor = node_.constant_input(index);
  if (tensor == nullptr || tensor->element_count() > kMaxDataElements) return nullptr;
  const auto [it, added] = constants_.try_emplace(index);
  if (added) to_tensor_proto(*tensor, it->second);
  return &it->second;
}

const onnx::TensorShapeProto* NodeContext::getSymbolicInput(size_t index) const {
  return symbols_.find(node_.input(index));
}

onnx::GraphInferencer* NodeContext::getGraphAttributeInferencer(const std::string& name) {
  Graph* graph = node_.subgraph(name);
  if (graph == nullptr) fail_type_inference("graph attribute '", name, "' is missing");
  inferencers_.push_back(std::make_unique<SubgraphInferencer>(*graph, infer_subgraph_));
  return inferencers_.back().get();
}

Result<ValueType> merged(const ValueType& known, const ValueType& inferred) {
  using Kind = ValueType::Kind;
  if (inferred.kind == Kind::kUnknown) return known;
  if (known.kind == Kind::kUnknown) return inferred;
  if (known.kind != inferred.kind) {
    return bad_input("the declared type {} contradicts {}", type_text(known), type_text(inferred));
  }
  ValueType type = inferred;
  if (type.dtype == DType::kUndefined) type.dtype = known.dtype;
  if (known.dtype != DType::kUndefined && type.dtype != known.dtype) {
    return bad_input("the declared type {} contradicts {}", type_text(known), type_text(inferred));
  }
  if (!type.shape) type.shape = known.shape;
  if (type.shape && known.shape && type.shape->size() == known.shape->size()) {
    for (size_t i = 0; i < type.shape->size(); ++i) {
      Dim& dim = (*type.shape)[i];
      const Dim& other = (*known.shape)[i];
      if (!dim.is_known() && (other.is_known() || dim.symbol.empty())) dim = other;
    }
  }
  if (type.element != nullptr && known.element != nullptr) {
    EDGEWRIGHT_ASSIGN(ValueType element, merged(*known.element, *inferred.element));
    type.element = std::make_shared<const ValueType>(std::move(element));
  } else if (type.element == nullptr) {
    type.element = known.element;
  }
  return type;
}

}  // namespace edgewright::onnx_io
