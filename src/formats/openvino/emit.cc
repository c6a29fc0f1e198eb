#include "formats/openvino/emit.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/half_weights.h"

namespace edgewright::openvino_ir {
namespace {

Port port_of(const ValueType& type) { return {type.dtype, type.shape, {}}; }

// NumPy's broadcasting of two shapes; open dimensions stay open.
std::optional<Shape> broadcast(const ValueType& a, const ValueType& b) {
  if (!a.shape || !b.shape) return {};
  const size_t rank = std::max(a.shape->size(), b.shape->size());
  Shape result(rank);
  for (size_t i = 0; i < rank; ++i) {
    const auto dim = [&](const Shape& shape) {
      const size_t missing = rank - shape.size();
      return i < missing ? Dim(1) : shape[i - missing];
    };
    const Dim da = dim(*a.shape), db = dim(*b.shape);
    result[i] = da.value == 1 ? db : db.value == 1 ? da : da.is_known() ? da : db;
  }
  return result;
}

bool has_type(const Value* value) {
  return value == nullptr || (value->type.is_tensor() && !element_type(value->type.dtype).empty());
}

}  // namespace

const EmitRow* find_row(const Node& node) {
  if (!node.domain.empty() || node.outputs.empty() || node.outputs[0] == nullptr) return nullptr;
  if (!std::ranges::all_of(node.inputs, has_type)) return nullptr;
  if (!std::ranges::all_of(node.outputs, has_type)) return nullptr;
  return find_operator_row<Emitter>(
      node, {element_rows(), window_rows(), product_rows(), movement_rows(), index_rows(),
             reduction_rows(), quantization_rows()});
}

std::string list(const std::vector<int64_t>& values) {
  return fmt::format("{}", fmt::join(values, ","));
}
std::string flag(bool value) { return value ? "true" : "false"; }

bool has_rank(const Value* value) { return value != nullptr && value->type.shape.has_value(); }
size_t rank_of(const Value* value) { return has_rank(value) ? value->type.shape->size() : 0; }

Endpoint Emitter::append(Layer layer) {
  ir_.layers.push_back(std::move(layer));
  return {ir_.layers.size() - 1, 0};
}

std::string Emitter::inner_name(const Node& node, std::string_view type) {
  const auto named =
      std::ranges::find_if(node.outputs, [](const Value* v) { return v != nullptr; });
  std::string name =
      fmt::format("{}/{}", named == node.outputs.end() ? node.name : (*named)->name, type);
  const int count = inner_names_[name]++;
  return count == 0 ? name : fmt::format("{}_{}", name, count);
}

ValueType Emitter::type(Endpoint endpoint) const {
  const Port& port = ir_.layers[endpoint.layer].outputs[endpoint.port];
  return ValueType::tensor(port.dtype, port.shape);
}

Endpoint Emitter::constant(const Tensor& tensor, std::string name) {
  if (name.empty()) name = fmt::format("constant_{}", ir_.layers.size());
  Layer layer{name, "Const", "opset1", {}, {}, {port_of(ValueType::of(tensor))}, tensor};
  const auto half = options_.half_weights ? as_half_weights(tensor) : std::nullopt;
  if (!half) return append(std::move(layer));
  layer.name += "/stored";
  layer.constant = half;
  layer.outputs[0].dtype = DType::kFloat16;
  const Endpoint stored = append(std::move(layer));
  Layer convert{name,     "Convert",
                "opset1", {{"destination_type", "f32"}},
                {stored}, {port_of(ValueType::of(tensor))}};
  convert.is_decompression = true;
  return append(std::move(convert));
}

Endpoint Emitter::ints(const std::vector<int64_t>& values) {
  return constant(
      Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, std::span<const int64_t>(values)));
}
Endpoint Emitter::integer(int64_t value) { return constant(Tensor::scalar<int64_t>(value)); }

Endpoint Emitter::number(double value, DType like) {
  switch (like) {
    case DType::kFloat16: return constant(Tensor::scalar(Half(static_cast<float>(value))));
    case DType::kFloat64: return constant(Tensor::scalar(value));
    case DType::kInt64: return constant(Tensor::scalar(static_cast<int64_t>(value)));
    case DType::kInt32: return constant(Tensor::scalar(static_cast<int32_t>(value)));
    case DType::kInt8: return constant(Tensor::scalar(static_cast<int8_t>(value)));
    case DType::kUint8: return constant(Tensor::scalar(static_cast<uint8_t>(value)));
    default: return constant(Tensor::scalar(static_cast<float>(value)));
  }
}

Endpoint Emitter::value(const Value* value) {
  if (const auto it = endpoints_.find(value); it != endpoints_.end()) return it->second;
  EDGEWRIGHT_CHECK(value != nullptr && value->is_constant());
  return endpoints_[value] = constant(*value->constant, value->name);
}

Endpoint Emitter::add(const Node& node, std::string_view type, std::string_view version,
                      std::vector<Endpoint> inputs, LayerData data, ValueType output) {
  return append({inner_name(node, type),
                 std::string(type),
                 std::string(version),
                 std::move(data),
                 std::move(inputs),
                 {port_of(output)}});
}

Endpoint Emitter::add_two(const Node& node, std::string_view type, std::string_view version,
                          std::vector<Endpoint> inputs, LayerData data, ValueType first,
                          ValueType second) {
  const Endpoint endpoint =
      add(node, type, version, std::move(inputs), std::move(data), std::move(first));
  ir_.layers[endpoint.layer].outputs.push_back(port_of(second));
  return endpoint;
}

void Emitter::add_whole(const Node& node, std::string_view type, std::string_view version,
                        std::vector<Endpoint> inputs, LayerData data) {
  const Endpoint first = add(node, type, version, std::move(inputs), std::move(data), {});
  std::vector<Port> ports;
  for (const Value* output : node.outputs) {
    ports.push_back(output == nullptr ? Port() : port_of(output->type));
  }
  ir_.layers[first.layer].outputs = std::move(ports);
  for (size_t i = 0; i < node.outputs.size(); ++i) give(node, i, {first.layer, i});
}

void Emitter::finish(const Node& node, std::string_view type, std::string_view version,
                     std::vector<Endpoint> inputs, LayerData data) {
  give(node, 0,
       add(node, type, version, std::move(inputs), std::move(data), node.outputs[0]->type));
}

Endpoint Emitter::binary(const Node& node, std::string_view operation, Endpoint a, Endpoint b) {
  const ValueType left = type(a), right = type(b);
  return add(node, operation, "opset1", {a, b}, {{"auto_broadcast", "numpy"}},
             ValueType::tensor(left.dtype, broadcast(left, right)));
}

Endpoint Emitter::convert(const Node& node, Endpoint from, DType dtype) {
  if (type(from).dtype == dtype) return from;
  return add(node, "Convert", "opset1", {from},
             {{"destination_type", std::string(element_type(dtype))}},
             ValueType::tensor(dtype, type(from).shape));
}

Endpoint Emitter::reshape(const Node& node, Endpoint from, const std::vector<int64_t>& dims) {
  Shape shape;
  for (const int64_t dim : dims) shape.push_back(dim < 0 ? Dim() : Dim(dim));
  return add(node, "Reshape", "opset1", {from, ints(dims)}, {{"special_zero", "false"}},
             ValueType::tensor(type(from).dtype, shape));
}

void Emitter::give(const Node& node, size_t index, Endpoint endpoint) {
  const Value* value = node.output(index);
  if (value == nullptr) return;
  endpoints_[value] = endpoint;
  Layer& layer = ir_.layers[endpoint.layer];
  Port& port = layer.outputs[endpoint.port];
  if (port.names.empty() && endpoint.port == 0) layer.name = value->name;
  port.names.push_back(value->name);
}

namespace {

// What follows "past_key_values", "past" or "present" in a name; empty when it begins otherwise.
std::string_view cache_part(std::string_view name, bool past) {
  for (const std::string_view prefix : {"past_key_values", "past", "present"}) {
    if (name.starts_with(prefix) && prefix.starts_with("past") == past) {
      return name.substr(prefix.size());
    }
  }
  return {};
}

// The inputs of a decoder that are outputs of the step before.
std::map<const Value*, const Value*> cache_pairs(const Graph& graph) {
  std::map<const Value*, const Value*> pairs;
  for (const Value* input : graph.inputs()) {
    const std::string_view part = cache_part(input->name, true);
    if (part.empty() || !input->type.shape) continue;
    for (const Value* output : graph.outputs()) {
      const bool same = cache_part(output->name, false) == part;
      if (same && output->type.dtype == input->type.dtype) pairs[input] = output;
    }
  }
  return pairs;
}

std::string shape_of(const ValueType& type) {
  if (!type.shape) return "...";  // not even the rank is known
  std::vector<std::string> dims;
  for (const Dim& dim : *type.shape) {
    dims.push_back(dim.is_known() ? fmt::format("{}", dim.value) : "?");
  }
  return fmt::format("{}", fmt::join(dims, ","));
}

}  // namespace

Endpoint Emitter::add_parameter(const Value* input) {
  Port port = port_of(input->type);
  port.names.push_back(input->name);
  return append({input->name,
                 "Parameter",
                 "opset1",
                 {{"shape", shape_of(input->type)},
                  {"element_type", std::string(element_type(input->type.dtype))}},
                 {},
                 {std::move(port)}});
}

// A variable that holds nothing at first: the batch is that of the first input, what grows has no
// elements.
void Emitter::add_state(const Value* input, const Graph& graph) {
  const Shape& shape = *input->type.shape;
  const std::string& name = input->name;
  const auto inner = [&](const char* suffix, const char* type, const char* version, LayerData data,
                         std::vector<Endpoint> inputs, ValueType result) {
    return append(
        {name + suffix, type, version, std::move(data), std::move(inputs), {port_of(result)}});
  };
  std::vector<int64_t> rest;
  for (size_t i = 1; i < shape.size(); ++i) rest.push_back(std::max<int64_t>(shape[i].value, 0));
  Endpoint batch = ints({std::max<int64_t>(shape[0].value, 1)});
  if (!shape[0].is_known()) {
    const Value* first = graph.inputs()[0];
    const Endpoint of = inner("/shape", "ShapeOf", "opset3", {{"output_type", "i64"}},
                              {endpoints_.at(first)}, ValueType::tensor(DType::kInt64, Shape(1)));
    batch = inner("/batch", "Gather", "opset8", {{"batch_dims", "0"}}, {of, ints({0}), integer(0)},
                  ValueType::tensor(DType::kInt64, Shape{Dim(1)}));
  }
  const Endpoint dims = inner("/dims", "Concat", "opset1", {{"axis", "0"}}, {batch, ints(rest)},
                              ValueType::tensor(DType::kInt64, Shape(1)));
  const Endpoint start = inner("/start", "Broadcast", "opset3", {{"mode", "numpy"}},
                               {number(0, input->type.dtype), dims}, input->type);
  Port port = port_of(input->type);
  port.names.push_back(name);
  endpoints_[input] = append({name,
                              "ReadValue",
                              "opset6",
                              {{"variable_id", name},
                               {"variable_type", std::string(element_type(input->type.dtype))},
                               {"variable_shape", shape_of(input->type)}},
                              {start},
                              {std::move(port)}});
}

Status Emitter::add_inputs(const Graph& graph) {
  if (options_.states) states_ = cache_pairs(graph);
  if (options_.states && (states_.empty() || states_.contains(graph.inputs()[0]))) {
    return unsupported(
        "states: found no inputs past* with outputs present* of the same name behind an input of "
        "tokens");
  }
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    if (!input->type.is_tensor() || element_type(input->type.dtype).empty()) {
      return unsupported("input '{}' has type {}, which OpenVINO IR has not", input->name,
                         type_text(input->type));
    }
    if (!states_.contains(input)) endpoints_[input] = add_parameter(input);
  }
  for (const Value* input : graph.inputs()) {
    if (states_.contains(input)) add_state(input, graph);
  }
  return {};
}

void Emitter::add_results(const Graph& graph) {
  std::map<const Value*, const Value*> assigned;
  for (const auto& [input, output] : states_) assigned[output] = input;
  for (const Value* output : graph.outputs()) {
    const Endpoint from = value(output);
    if (const auto state = assigned.find(output); state != assigned.end()) {
      append({output->name,
              "Assign",
              "opset6",
              {{"variable_id", state->second->name}},
              {from},
              {port_of(output->type)}});
      continue;
    }
    Port& port = ir_.layers[from.layer].outputs[from.port];
    if (std::ranges::find(port.names, output->name) == port.names.end()) {
      port.names.push_back(output->name);
    }
    append({output->name + "/result", "Result", "opset1", {}, {from}, {}});
  }
}

Result<Ir> Emitter::run(const Graph& graph, const std::string& name) {
  ir_.name = name;
  EDGEWRIGHT_TRY(add_inputs(graph));
  for (const Node& node : graph.nodes()) {
    EDGEWRIGHT_TRY(emit_by_row(*this, node, find_row(node), "OpenVINO IR"));
  }
  add_results(graph);
  return std::move(ir_);
}

}  // namespace edgewright::openvino_ir
