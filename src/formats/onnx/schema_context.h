#pragma once

#include <onnx/defs/schema.h>

#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "formats/onnx/proto.h"
#include "graph/graph.h"

// Our nodes as the schemas' inference functions want to see them.
namespace edgewright::onnx_io {

// The schema of a node at the newest version of its domain; null when there is none.
const onnx::OpSchema* schema_of(const Node& node);
const onnx::OpSchema* schema_of(const std::string& op, const std::string& domain);
// The schema whose type inference fits a node: its own or that of an operator it resembles.
const onnx::OpSchema* typing_schema_of(const Node& node);

// Attributes as messages, made when asked for. Not graphs.
class AttributeProtos {
 public:
  explicit AttributeProtos(const Node& node) : node_(node) {}
  const onnx::AttributeProto* find(const std::string& name) const;

 private:
  const Node& node_;
  mutable std::map<std::string, onnx::AttributeProto> protos_;
};

// Values of small integer tensors (shapes, mostly) whose elements may be symbols.
class SymbolicValues {
 public:
  // Null when nothing is known.
  const onnx::TensorShapeProto* find(const Value* value) { return find(value, 0); }
  void forget(const Value* value) { known_.erase(value); }

 private:
  friend class PropagationContext;
  const onnx::TensorShapeProto* find(const Value* value, int depth);
  std::unique_ptr<onnx::TensorShapeProto> compute(const Value* value, int depth);
  std::unordered_map<const Value*, std::unique_ptr<onnx::TensorShapeProto>> known_;
};

// Infers the types inside a subgraph once those of its inputs are known.
using SubgraphInference = std::function<void(Graph&)>;

class NodeContext : public onnx::InferenceContext {
 public:
  NodeContext(Node& node, SymbolicValues& symbols, SubgraphInference infer_subgraph);

  const onnx::AttributeProto* getAttribute(const std::string& name) const override {
    return attributes_.find(name);
  }
  size_t getNumInputs() const override { return node_.inputs.size(); }
  bool hasInput(size_t index) const override { return node_.input(index) != nullptr; }
  const onnx::TypeProto* getInputType(size_t index) const override;
  const onnx::TensorProto* getInputData(size_t index) const override;
  const onnx::SparseTensorProto* getInputSparseData(size_t) const override { return nullptr; }
  const onnx::TensorShapeProto* getSymbolicInput(size_t index) const override;
  size_t getNumOutputs() const override { return outputs_.size(); }
  onnx::TypeProto* getOutputType(size_t index) override { return &outputs_.at(index); }
  onnx::GraphInferencer* getGraphAttributeInferencer(const std::string& name) override;
  std::string getDisplayName() const override { return node_.name; }

  const onnx::TypeProto& output(size_t index) const { return outputs_[index]; }

 private:
  Node& node_;
  SymbolicValues& symbols_;
  SubgraphInference infer_subgraph_;
  AttributeProtos attributes_;
  std::vector<std::unique_ptr<onnx::TypeProto>> inputs_;
  mutable std::map<size_t, onnx::TensorProto> constants_;
  std::vector<onnx::TypeProto> outputs_;
  std::vector<std::unique_ptr<onnx::GraphInferencer>> inferencers_;
};

// `inferred` with what only `known` says. Dimensions that contradict are those of `inferred`.
// kBadInput when kinds or element types contradict.
Result<ValueType> merged(const ValueType& known, const ValueType& inferred);

}  // namespace edgewright::onnx_io
