#include "quantize/dynamic_int8.h"

#include <map>

#include "passes/rewrite.h"

namespace edgewright {
namespace {

// What DynamicQuantizeLinear makes of a value.
struct DynamicValue {
  Value *integers, *scale, *zero_point;
};

class DynamicInserter {
 public:
  DynamicInserter(Graph& graph, const Scheme& scheme) : graph_(graph), scheme_(scheme) {}

  void insert(const QuantLayer& layer) {
    Node* old = layer.node;
    const DynamicValue input = dynamic_value(old->inputs[0], old);
    const Tensor weights = right_factor(layer);
    const RoundedWeights rounded = quantize_weights(weights, 1, scheme_.weight_bits);
    const std::string name = old->inputs[1]->name;
    Value* data = graph_.add_constant(graph_.fresh_name(name + "_quantized"), rounded.integers);
    const Dims columns{static_cast<int64_t>(rounded.scales.size())};
    Value* scale = graph_.add_constant(graph_.fresh_name(name + "_scale"),
                                       Tensor::of<float>(columns, rounded.scales));
    Value* made = old->outputs[0];
    Value* sums = add("MatMulInteger", {input.integers, data, input.zero_point}, made, "_sums", old,
                      DType::kInt32);
    Value* reals = add("Cast", {sums}, made, "_reals", old, DType::kFloat32,
                       make_attributes({{"to", static_cast<int64_t>(DType::kFloat32)}}));
    Value* units = add("Mul", {scale, input.scale}, made, "_units", old, DType::kFloat32);
    Value* result = add("Mul", {reals, units}, made, "_product", old, DType::kFloat32);
    if (old->input(2) != nullptr) {
      result = add("Add", {result, old->inputs[2]}, made, "_sum", old, DType::kFloat32);
    }
    result->type = made->type;
    result->producer->name = old->name;
    if (replace_value(made, result)) graph_.erase(old);
  }

 private:
  Value* add(const char* op, std::vector<Value*> inputs, const Value* made, const char* suffix,
             Node* before, DType dtype, Attributes attributes = {}) {
    Node* node = graph_.add_node(op, std::move(inputs), {made->name + suffix},
                                 std::move(attributes), "", before);
    node->outputs[0]->type = ValueType::tensor(dtype);
    return node->outputs[0];
  }

  DynamicValue dynamic_value(Value* value, Node* before) {
    const auto it = values_.find(value);
    if (it != values_.end()) return it->second;
    Node* place = before;
    if (value->producer != nullptr) place = &*std::next(value->producer->position);
    const std::string& name = value->name;
    Node* node = graph_.add_node("DynamicQuantizeLinear", {value},
                                 {name + "_quantized", name + "_scale", name + "_zero_point"}, {},
                                 "", place);
    node->name = name + "_DynamicQuantizeLinear";
    node->outputs[0]->type = ValueType::tensor(DType::kUint8, value->type.shape);
    node->outputs[1]->type = ValueType::tensor(DType::kFloat32, Shape{});
    node->outputs[2]->type = ValueType::tensor(DType::kUint8, Shape{});
    return values_[value] = {node->outputs[0], node->outputs[1], node->outputs[2]};
  }

  // [K, N], whichever way the layer stores it.
  static Tensor right_factor(const QuantLayer& layer) {
    const Tensor& weights = *layer.node->constant_input(1);
    if (layer.weight_axis == 1) return weights;
    const int64_t columns = weights.dim(0), rows = weights.dim(1);
    std::vector<float> turned(static_cast<size_t>(rows * columns));
    for (int64_t i = 0; i < columns; ++i) {
      for (int64_t j = 0; j < rows; ++j) {
        turned[static_cast<size_t>(j * columns + i)] = weights.data<float>()[i * rows + j];
      }
    }
    return Tensor::of<float>({rows, columns}, turned);
  }

  Graph& graph_;
  const Scheme& scheme_;
  std::map<Value*, DynamicValue> values_;
};

}  // namespace

std::set<std::string> insert_dynamic_int8(Graph& graph, const Scheme& scheme,
                                          const std::set<std::string>& excluded) {
  DynamicInserter inserter(graph, scheme);
  std::set<std::string> layers;
  for (const QuantLayer& layer : compute_layers(graph)) {
    const bool product = layer.node->op == "MatMul" || layer.node->op == "Gemm";
    if (!product || layer.weights != 1 || layer.weight_axis < 0) continue;
    if (excluded.contains(layer.name())) continue;
    layers.insert(layer.name());
    inserter.insert(layer);
  }
  return layers;
}

}  // namespace edgewright
