#include "quantize/qdq.h"

#include <algorithm>

#include "passes/rewrite.h"

namespace edgewright {
namespace {

Value* typed_constant(Graph& graph, const std::string& name, Tensor tensor) {
  return graph.add_constant(graph.fresh_name(name), std::move(tensor));
}

Tensor zero_point_tensor(const QuantParams& params) {
  return params.dtype == DType::kUint8
             ? Tensor::scalar<uint8_t>(static_cast<uint8_t>(params.zero_point))
             : Tensor::scalar<int8_t>(static_cast<int8_t>(params.zero_point));
}

Value* dequantized_constant(Graph& graph, const std::string& name, Tensor integers,
                            const std::vector<float>& scales, int axis, Node* before) {
  const DType dtype = integers.dtype();
  const bool per_channel = axis >= 0;
  const Dims dims = per_channel ? Dims{static_cast<int64_t>(scales.size())} : Dims{};
  auto zeros = Tensor::allocate(dtype, dims);
  EDGEWRIGHT_CHECK(zeros.ok());
  Value* data = typed_constant(graph, name + "_quantized", std::move(integers));
  Value* scale = typed_constant(graph, name + "_scale", Tensor::of<float>(dims, scales));
  Value* zero = typed_constant(graph, name + "_zero_point", *std::move(zeros));
  Attributes attributes;
  if (per_channel) attributes.set("axis", static_cast<int64_t>(axis));
  Node* node = graph.add_node("DequantizeLinear", {data, scale, zero}, {name + "_dequantized"},
                              std::move(attributes), "", before);
  node->name = name + "_DequantizeLinear";
  node->outputs[0]->type = ValueType::tensor(DType::kFloat32, data->type.shape);
  return node->outputs[0];
}

class QdqInserter {
 public:
  QdqInserter(Graph& graph, const QuantDecision& decision, QdqForm form)
      : graph_(graph), decision_(decision), form_(form) {}

  Status insert() {
    for (Node* node : graph_.node_list()) {
      auto layer = quant_layer(*node);
      if (!layer || !decision_.layers.contains(layer->name())) continue;
      EDGEWRIGHT_TRY(insert_layer(*layer));
    }
    for (const std::string& name : decision_.whole) round_for_all(name);
    return {};
  }

 private:
  Status insert_layer(const QuantLayer& layer) {
    float input_scale = 1;
    for (const size_t i : layer.activations) {
      Value* value = layer.node->inputs[i];
      const auto it = decision_.activations.find(value->name);
      if (it == decision_.activations.end()) {
        return internal_error("layer '{}' reads '{}', for which no rounding was decided",
                              layer.name(), value->name);
      }
      input_scale = it->second.scale;
      replacements_.emplace_back(layer.node, i, rounded(value, it->second));
    }
    if (layer.weights >= 0) insert_weights(layer, input_scale);
    for (const auto& [node, index, value] : replacements_) graph_.set_input(node, index, value);
    replacements_.clear();
    return {};
  }

  // Every reader of the value takes its rounded form, which gets its name; only the rounding itself
  // reads on.
  void round_for_all(const std::string& name) {
    Value* value = graph_.find_value(name);
    const auto params = decision_.activations.find(name);
    if (value == nullptr || params == decision_.activations.end()) return;
    Value* result = rounded(value, params->second);
    Node* first = result->producer;
    while (first->inputs[0] != value) first = first->inputs[0]->producer;
    graph_.replace_uses(value, result);
    graph_.set_input(first, 0, value);
  }

  Value* rounded(Value* value, const QuantParams& params) {
    Value*& entry = rounded_[value];
    if (entry == nullptr) {
      Node* before =
          value->producer == nullptr ? &graph_.nodes().front() : next_node(value->producer);
      entry = round_value(graph_, value, params, form_, before);
    }
    return entry;
  }

  Node* next_node(Node* node) {
    const auto next = std::next(node->position);
    return next == graph_.nodes().end() ? nullptr : &*next;
  }

  void insert_weights(const QuantLayer& layer, float input_scale) {
    const RoundedLayer rounded = round_layer(layer, decision_, input_scale);
    Node* node = layer.node;
    const auto weights = static_cast<size_t>(layer.weights);
    const std::string name = node->inputs[weights]->name;
    if (form_ == QdqForm::kSimulated) {
      replacements_.emplace_back(
          node, weights, typed_constant(graph_, name + "_rounded", dequantize(rounded.weights)));
    } else {
      replacements_.emplace_back(
          node, weights,
          dequantized_constant(graph_, name, rounded.weights.integers, rounded.weights.scales,
                               rounded.weights.axis, node));
    }
    insert_bias(layer, rounded, input_scale);
  }

  void insert_bias(const QuantLayer& layer, const RoundedLayer& rounded, float input_scale) {
    Node* node = layer.node;
    const auto shift = decision_.bias_shift.find(layer.name());
    const bool shifted = shift != decision_.bias_shift.end();
    if (rounded.bias.empty()) {
      Value* bias = shifted ? shifted_bias(graph_, layer, shift->second) : nullptr;
      if (bias != nullptr) replacements_.emplace_back(node, 2, bias);
      return;
    }
    std::vector<float> scales = rounded.weights.scales;
    for (float& scale : scales) scale *= input_scale;
    const Value* old = node->input(2);
    const std::string name = old != nullptr ? old->name : layer.name() + "_bias";
    if (form_ == QdqForm::kSimulated) {
      std::vector<float> reals;
      for (size_t c = 0; c < rounded.bias.size(); ++c) {
        const float scale = scales[scales.size() == 1 ? 0 : c];
        reals.push_back(static_cast<float>(rounded.bias[c]) * scale);
      }
      const Dims dims{static_cast<int64_t>(reals.size())};
      replacements_.emplace_back(
          node, 2, typed_constant(graph_, name + "_rounded", Tensor::of<float>(dims, reals)));
      return;
    }
    const Dims dims{static_cast<int64_t>(rounded.bias.size())};
    replacements_.emplace_back(
        node, 2,
        dequantized_constant(graph_, name, Tensor::of<int32_t>(dims, rounded.bias), scales,
                             rounded.weights.axis < 0 ? -1 : 0, node));
  }

  Graph& graph_;
  const QuantDecision& decision_;
  QdqForm form_;
  std::map<Value*, Value*> rounded_;
  std::vector<std::tuple<Node*, size_t, Value*>> replacements_;
};

std::vector<float> bias_of(const QuantLayer& layer, const QuantDecision& decision) {
  const Tensor* bias = layer.bias < 0 ? nullptr : layer.node->constant_input(2);
  const auto shift = decision.bias_shift.find(layer.name());
  const bool shifted = shift != decision.bias_shift.end();
  const bool may_have =
      layer.node->op != "MatMul" && (layer.bias >= 0 || layer.node->input(2) == nullptr);
  std::vector<float> result;
  if (!may_have || (bias == nullptr && !shifted)) return result;
  if (bias != nullptr)
    result.assign(bias->elements<float>().begin(), bias->elements<float>().end());
  if (!shifted) return result;
  result.resize(shift->second.size());
  for (size_t c = 0; c < result.size(); ++c) result[c] += shift->second[c];
  return result;
}

}  // namespace

RoundedLayer round_layer(const QuantLayer& layer, const QuantDecision& decision,
                         float input_scale) {
  const std::vector<float> bias = bias_of(layer, decision);
  const auto replaced = decision.weights.find(layer.name());
  const Tensor& weights = replaced != decision.weights.end()
                              ? replaced->second
                              : *layer.node->constant_input(static_cast<size_t>(layer.weights));
  const int axis = decision.scheme.per_channel ? layer.weight_axis : -1;
  std::vector<float> least;
  least.reserve(bias.size());
  for (const float value : bias) least.push_back(least_weight_scale(value, input_scale));
  if (axis < 0 && !least.empty()) least = {*std::ranges::max_element(least)};
  RoundedLayer rounded;
  rounded.weights = quantize_weights(weights, axis, decision.scheme.weight_bits, least);
  if (!bias.empty()) rounded.bias = quantize_bias(bias, input_scale, rounded.weights.scales);
  return rounded;
}

Value* shifted_bias(Graph& graph, const QuantLayer& layer, const std::vector<float>& shift) {
  if (layer.node->op == "MatMul") return nullptr;
  std::vector<float> sum = shift;
  if (const Tensor* bias = layer.node->constant_input(2)) {
    if (bias->rank() != 1 || bias->element_count() != static_cast<int64_t>(shift.size())) {
      return nullptr;
    }
    for (size_t c = 0; c < sum.size(); ++c) sum[c] += bias->data<float>()[c];
  } else if (layer.node->input(2) != nullptr) {
    return nullptr;
  }
  const Dims dims{static_cast<int64_t>(sum.size())};
  return typed_constant(graph, layer.name() + "_bias", Tensor::of<float>(dims, sum));
}

Value* round_value(Graph& graph, Value* value, const QuantParams& params, QdqForm form,
                   Node* before) {
  const std::string& name = value->name;
  const auto add = [&](const char* op, std::vector<Value*> inputs, std::string_view suffix,
                       DType dtype) {
    Node* node =
        graph.add_node(op, std::move(inputs), {name + std::string(suffix)}, {}, "", before);
    node->name = node->outputs[0]->name + "_" + op;
    node->outputs[0]->type = ValueType::tensor(dtype, value->type.shape);
    return node->outputs[0];
  };
  if (form == QdqForm::kNodes) {
    Value* scale = typed_constant(graph, name + "_scale", Tensor::scalar<float>(params.scale));
    Value* zero = typed_constant(graph, name + "_zero_point", zero_point_tensor(params));
    Value* integers = add("QuantizeLinear", {value, scale, zero}, "_quantized", params.dtype);
    return add("DequantizeLinear", {integers, scale, zero}, "_dequantized", DType::kFloat32);
  }
  const auto number = [&](float x) {
    return typed_constant(graph, name + "_number", Tensor::scalar<float>(x));
  };
  Value* steps = add("Mul", {value, number(1 / params.scale)}, "_steps", DType::kFloat32);
  Value* whole = add("Round", {steps}, "_whole", DType::kFloat32);
  Value* bounded = add("Clip",
                       {whole, number(static_cast<float>(params.low - params.zero_point)),
                        number(static_cast<float>(params.high - params.zero_point))},
                       "_bounded", DType::kFloat32);
  return add("Mul", {bounded, number(params.scale)}, "_rounded", DType::kFloat32);
}

std::set<std::string> insert_integer_weights(Graph& graph, const Scheme& scheme,
                                             const std::set<std::string>& excluded) {
  std::set<std::string> layers;
  for (const QuantLayer& layer : compute_layers(graph)) {
    if (layer.weights < 0 || excluded.contains(layer.name())) continue;
    const auto index = static_cast<size_t>(layer.weights);
    const int axis = scheme.per_channel ? layer.weight_axis : -1;
    const RoundedWeights rounded =
        quantize_weights(*layer.node->constant_input(index), axis, scheme.weight_bits);
    const std::string name = layer.node->inputs[index]->name;
    graph.set_input(layer.node, index,
                    dequantized_constant(graph, name, rounded.integers, rounded.scales,
                                         rounded.axis, layer.node));
    layers.insert(layer.name());
  }
  return layers;
}

Status insert_qdq(Graph& graph, const QuantDecision& decision, QdqForm form) {
  return QdqInserter(graph, decision, form).insert();
}

}  // namespace edgewright
