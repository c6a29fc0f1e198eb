#include "passes/lower/quantized_match.h"

#include <algorithm>
#include <cmath>

#include "passes/channel_affine.h"

namespace edgewright {
namespace {

bool is_byte(DType dtype) { return dtype == DType::kUint8 || dtype == DType::kInt8; }

bool is_linear(const Node* node, std::string_view op) {
  return node != nullptr && (node->is(op) || node->is(op, "com.microsoft"));
}

// One element, or empty.
std::optional<double> single(const Value* value) {
  if (value == nullptr || !value->is_constant() || value->constant->element_count() != 1) return {};
  const auto elements = value->constant->to_doubles();
  if (!elements.ok()) return {};
  return elements->front();
}

// Scale and zero point at inputs 1 and 2 of either node.
std::optional<QuantizedScale> scale_of(const Node& node, DType dtype) {
  const auto scale = single(node.input(1));
  if (!scale || !(*scale > 0) || !std::isfinite(*scale) || !is_byte(dtype) ||
      node.attributes.get_int("block_size", 0) != 0) {
    return {};
  }
  QuantizedScale result{*scale, 0, dtype};
  if (node.input(2) != nullptr) {
    const auto zero = single(node.input(2));
    if (!zero) return {};
    result.zero = static_cast<int64_t>(*zero);
  }
  return result;
}

std::optional<std::vector<double>> elements_of(const Value* value) {
  if (value == nullptr || !value->is_constant()) return {};
  auto elements = value->constant->to_doubles();
  if (!elements.ok()) return {};
  return *std::move(elements);
}

// The weights as int8 and the zero points as 0.
std::optional<Tensor> centred_weights(const Tensor& values, const std::vector<double>& zeros) {
  const double zero = values.dtype() == DType::kUint8 ? 128 : 0;
  if (std::ranges::any_of(zeros, [&](double z) { return z != zero; })) return {};
  if (values.dtype() == DType::kInt8) return values;
  auto moved = Tensor::allocate_uninitialised(DType::kInt8, values.dims());
  if (!moved.ok()) return {};
  const uint8_t* from = values.data<uint8_t>();
  int8_t* to = moved->mutable_data<int8_t>();
  for (int64_t i = 0; i < values.element_count(); ++i) {
    to[i] = static_cast<int8_t>(static_cast<int>(from[i]) - 128);
  }
  return *std::move(moved);
}

}  // namespace

std::optional<DequantizedValue> dequantized_value(const Value* value) {
  if (value == nullptr || !is_linear(value->producer, "DequantizeLinear")) return {};
  const Node& node = *value->producer;
  Value* bytes = node.input(0);
  const auto scale = scale_of(node, dtype_of(bytes));
  if (!scale || dtype_of(value) != DType::kFloat32) return {};
  return DequantizedValue{bytes, *scale};
}

std::optional<QuantizedScale> quantizes(const Node& node) {
  if (!is_linear(&node, "QuantizeLinear") || dtype_of(node.input(0)) != DType::kFloat32 ||
      node.output(0) == nullptr) {
    return {};
  }
  return scale_of(node, dtype_of(node.outputs[0]));
}

std::optional<QuantizedWeights> quantized_weights(const Value* value, size_t axis) {
  if (value == nullptr || !is_linear(value->producer, "DequantizeLinear")) return {};
  const Node& node = *value->producer;
  const Tensor* values = node.constant_input(0);
  const auto scales = elements_of(node.input(1));
  if (values == nullptr || !is_byte(values->dtype()) || !scales ||
      node.attributes.get_int("block_size", 0) != 0 || axis >= values->rank()) {
    return {};
  }
  std::vector<double> zeros(1, 0.0);
  if (node.input(2) != nullptr) {
    const auto given = elements_of(node.input(2));
    if (!given) return {};
    zeros = *given;
  }
  if (scales->size() != 1) {
    const auto axes = normalised_axes({node.attributes.get_int("axis", 1)}, values->rank());
    if (!axes || (*axes)[0] != static_cast<int64_t>(axis) ||
        static_cast<int64_t>(scales->size()) != values->dim(axis)) {
      return {};
    }
  }
  auto moved = centred_weights(*values, zeros);
  if (!moved) return {};
  return QuantizedWeights{*std::move(moved), *scales, axis};
}

std::optional<std::vector<double>> constant_vector(const Value* value, size_t count) {
  if (value == nullptr) return {};
  std::optional<std::vector<double>> elements;
  if (value->is_constant()) {
    elements = float_elements(*value->constant);
  } else if (is_linear(value->producer, "DequantizeLinear")) {
    const Node& node = *value->producer;
    elements = elements_of(node.input(0));
    const auto scales = elements_of(node.input(1));
    if (!elements || !scales || (scales->size() != 1 && scales->size() != elements->size())) {
      return {};
    }
    const auto zeros = elements_of(node.input(2)).value_or(std::vector<double>{0});
    if (zeros.size() != 1 && zeros.size() != elements->size()) return {};
    for (size_t i = 0; i < elements->size(); ++i) {
      const double moved = (*elements)[i] - zeros[zeros.size() == 1 ? 0 : i];
      (*elements)[i] = moved * (*scales)[scales->size() == 1 ? 0 : i];
    }
  }
  if (!elements || elements->size() != count) return {};
  return elements;
}

namespace {

// A normalisation, factors or addends per column.
bool match_affine(QuantizedEnd& end, size_t axis_from_back) {
  const Node* user = single_user(end.last);
  if (user == nullptr || user->graph != end.last->graph) return false;
  auto affine = channel_affine(*user, end.scale.size(), axis_from_back);
  if (!affine) {
    // A bias that is quantised itself.
    if (!user->is("Add")) return false;
    const Value* other = user->inputs[user->inputs[0] == end.last ? 1 : 0];
    const auto shift = rank_of(other) == 1 && axis_from_back == 0
                           ? constant_vector(other, end.scale.size())
                           : std::nullopt;
    if (!shift) return false;
    affine = ChannelAffine{std::vector<double>(shift->size(), 1.0), *shift, end.last};
  }
  if (affine->data != end.last || static_dims(user->output(0)) != static_dims(end.last)) {
    return false;
  }
  for (size_t c = 0; c < end.scale.size(); ++c) {
    end.scale[c] *= affine->scale[c];
    end.shift[c] = end.shift[c] * affine->scale[c] + affine->shift[c];
  }
  end.last = user->outputs[0];
  return true;
}

// QuantizeLinear and DequantizeLinear between a product and the sum that it goes into.
void match_rounded_product(QuantizedEnd& end) {
  const Node* quantizer = single_user(end.last);
  if (quantizer == nullptr) return;
  const auto scale = quantizes(*quantizer);
  const Node* back = scale ? single_user(quantizer->outputs[0]) : nullptr;
  if (back == nullptr || back->graph != end.last->graph) return;
  const auto value = dequantized_value(back->output(0));
  const Node* sum = value ? single_user(back->outputs[0]) : nullptr;
  if (sum == nullptr || !sum->is("Add") || sum->graph != end.last->graph ||
      value->scale != *scale) {
    return;
  }
  end.product = *scale;
  end.last = back->outputs[0];
}

void match_sum(QuantizedEnd& end) {
  const Node* sum = single_user(end.last);
  if (sum == nullptr || !sum->is("Add") || sum->graph != end.last->graph) return;
  Value* other = sum->inputs[0] == end.last ? sum->inputs[1] : sum->inputs[0];
  if (other == end.last || !is_static_float(other)) return;
  if (static_dims(other) != static_dims(sum->output(0))) return;
  end.residual = other;
  if (const auto bytes = dequantized_value(other)) {
    if (!bytes->bytes->is_constant()) {
      end.residual = bytes->bytes;
      end.residual_scale = bytes->scale;
    }
  }
  end.last = sum->outputs[0];
}

void match_result(QuantizedEnd& end) {
  for (const Use& use : end.last->uses) {
    const auto scale = use.index == 0 ? quantizes(*use.node) : std::nullopt;
    const bool same = scale && (!end.y || *end.y == *scale) && use.node->graph == end.last->graph;
    if (same) {
      end.y = *scale;
      end.quantizers.push_back(use.node);
    } else {
      end.also_float = true;
    }
  }
  end.also_float = end.y.has_value() && (end.also_float || end.last->is_graph_output());
}

void set_scale(Attributes& attributes, const std::string& name, const QuantizedScale& scale) {
  attributes.set(name + "_scale", static_cast<float>(scale.scale));
  attributes.set(name + "_zero", scale.zero);
}

Result<Value*> add_vector(Graph& graph, const std::string& name, const std::vector<double>& v) {
  EDGEWRIGHT_ASSIGN(Tensor tensor,
                    float_tensor(DType::kFloat32, {static_cast<int64_t>(v.size())}, v));
  return graph.add_constant(name, std::move(tensor));
}

}  // namespace

void match_quantized_end(QuantizedEnd& end, size_t axis_from_back) {
  while (match_affine(end, axis_from_back)) {
  }
  if (end.residual == nullptr && end.epilogue.activation.empty()) {
    const QuantizedEnd before = end;
    match_rounded_product(end);
    match_sum(end);
    // A rounding that no sum follows is the result's own.
    if (end.product && end.residual == nullptr) end = before;
  }
  if (end.epilogue.activation.empty()) {
    end.epilogue.last = end.last;
    match_activation(end.epilogue);
    end.last = end.epilogue.last;
  }
  match_result(end);
}

Status replace_by_product(const QuantizedEnd& end, std::string_view op,
                          std::vector<Value*> operands, Attributes attributes) {
  Node* const old = end.last->producer;
  Graph& graph = *old->graph;
  const std::string name = end.last->name;
  const bool has_shift = std::ranges::any_of(end.shift, [](double s) { return s != 0; });
  EDGEWRIGHT_ASSIGN(Value * factors, add_vector(graph, name + "_factors", end.scale));
  Value* bias = nullptr;
  if (has_shift) {
    EDGEWRIGHT_ASSIGN(bias, add_vector(graph, name + "_bias", end.shift));
  }
  operands.insert(operands.end(), {factors, bias, end.residual});
  while (operands.back() == nullptr) operands.pop_back();
  if (!end.epilogue.activation.empty()) attributes.set("activation", end.epilogue.activation);
  if (end.epilogue.alpha) attributes.set("alpha", *end.epilogue.alpha);
  if (end.epilogue.beta) attributes.set("beta", *end.epilogue.beta);
  if (end.product) {
    set_scale(attributes, "product", *end.product);
    attributes.set("product_is_signed", int64_t{end.product->dtype == DType::kInt8});
  }
  if (end.residual_scale) set_scale(attributes, "residual", *end.residual_scale);
  if (end.y) {
    set_scale(attributes, "y", *end.y);
    attributes.set("y_type", static_cast<int64_t>(end.y->dtype));
  }
  std::vector<std::string> names = {end.y ? end.quantizers[0]->outputs[0]->name : name};
  if (end.also_float) names.push_back(name);
  Node* node = graph.add_node(std::string(op), std::move(operands), std::move(names),
                              std::move(attributes), std::string(kEngineDomain), old);
  node->name = old->name;
  if (end.y) {
    node->outputs[0]->type = end.quantizers[0]->outputs[0]->type;
    for (Node* quantizer : end.quantizers) {
      graph.replace_uses(quantizer->outputs[0], node->outputs[0]);
    }
  }
  if (!end.y || end.also_float) {
    Value* real = node->outputs.back();
    real->type = end.last->type;
    // QuantizeLinear nodes that still read the value die with it.
    graph.replace_uses(end.last, real);
  }
  // What is dead now goes with remove_dead() when the pass is over; the walk must not meet it.
  for (Node* quantizer : end.quantizers) erase_if_dead(quantizer);
  if (end.quantizers.empty() || end.also_float) erase_if_dead(old);
  return {};
}

}  // namespace edgewright
