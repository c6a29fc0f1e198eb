#include "formats/tflite/emit.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/element.h"
#include "tensor/half_weights.h"

namespace edgewright::tflite_io {
namespace {

const std::vector<int64_t> kToNhwc = {0, 2, 3, 1};
const std::vector<int64_t> kToPlain = {0, 3, 1, 2};
struct TypeRow {
  DType dtype;
  schema::TensorType type;
};
constexpr TypeRow kTypes[] = {
    {DType::kFloat32, schema::TensorType::FLOAT32}, {DType::kInt32, schema::TensorType::INT32},
    {DType::kInt64, schema::TensorType::INT64},     {DType::kBool, schema::TensorType::BOOL},
    {DType::kInt8, schema::TensorType::INT8},       {DType::kUint8, schema::TensorType::UINT8},
    {DType::kFloat16, schema::TensorType::FLOAT16}, {DType::kInt16, schema::TensorType::INT16},
    {DType::kUint16, schema::TensorType::UINT16},   {DType::kUint32, schema::TensorType::UINT32},
    {DType::kFloat64, schema::TensorType::FLOAT64},
};

bool is_known(const Value* value) {
  return value == nullptr || (value->type.is_tensor() && has_tensor_type(value->type.dtype) &&
                              value->type.shape && known_dims(*value->type.shape).has_value());
}

size_t form_index(Layout layout, Form form) {
  return 2 * static_cast<size_t>(layout) + static_cast<size_t>(form);
}

}  // namespace

schema::TensorType tensor_type(DType dtype) {
  const auto* it = std::ranges::find(kTypes, dtype, &TypeRow::dtype);
  return it == std::end(kTypes) ? schema::TensorType::FLOAT32 : it->type;
}
bool has_tensor_type(DType dtype) {
  return std::ranges::find(kTypes, dtype, &TypeRow::dtype) != std::end(kTypes);
}

const EmitRow* find_row(const Node& node) {
  if (!node.domain.empty() || node.outputs.empty() || node.outputs[0] == nullptr) return nullptr;
  if (!std::ranges::all_of(node.inputs, is_known)) return nullptr;
  if (!std::ranges::all_of(node.outputs, is_known)) return nullptr;
  return find_operator_row<Emitter>(
      node, {element_rows(), window_rows(), product_rows(), movement_rows(), quantization_rows()});
}

Dims permuted_dims(const Dims& dims, const std::vector<int64_t>& order) {
  Dims result;
  for (const int64_t axis : order) result.push_back(dims[static_cast<size_t>(axis)]);
  return result;
}

Tensor permuted(const Tensor& tensor, const std::vector<int64_t>& order) {
  const size_t rank = order.size();
  const Dims dims = permuted_dims(tensor.dims(), order);
  Tensor result = *Tensor::allocate_uninitialised(tensor.dtype(), dims);
  const auto item = static_cast<size_t>(dtype_bits(tensor.dtype()) / 8);
  std::vector<int64_t> strides(rank, 1), moved, at(rank, 0);
  for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * tensor.dim(i);
  for (const int64_t axis : order) moved.push_back(strides[static_cast<size_t>(axis)]);
  int64_t from = 0;
  for (int64_t to = 0; to < tensor.element_count(); ++to) {
    std::memcpy(result.mutable_bytes() + static_cast<size_t>(to) * item,
                tensor.bytes() + static_cast<size_t>(from) * item, item);
    for (size_t i = rank; i-- > 0;) {
      from += moved[i];
      if (++at[i] < dims[i]) break;
      from -= moved[i] * dims[i];
      at[i] = 0;
    }
  }
  return result;
}

int64_t axis_in(Layout layout, int64_t axis, size_t rank) {
  if (axis < 0) axis += static_cast<int64_t>(rank);
  return layout == Layout::kNhwc ? kToPlain[static_cast<size_t>(axis)] : axis;
}

std::optional<float> constant_number(const Node& node, size_t index) {
  const Tensor* tensor = node.constant_input(index);
  if (tensor == nullptr || tensor->element_count() != 1) return {};
  const auto values = tensor->to_doubles();
  return values.ok() ? std::optional(static_cast<float>((*values)[0])) : std::nullopt;
}

uint32_t Emitter::code_index(Operator op, int version) {
  const auto code = static_cast<int>(op);
  const auto [it, fresh] = codes_.emplace(std::pair(code, version),
                                          static_cast<uint32_t>(model_->operator_codes.size()));
  if (fresh) {
    auto entry = std::make_unique<schema::OperatorCodeT>();
    // The first field holds numbers below 127 only; 127 sends readers to the other.
    entry->deprecated_builtin_code = static_cast<int8_t>(std::min(code, 127));
    entry->builtin_code = code;
    entry->version = version;
    model_->operator_codes.push_back(std::move(entry));
  }
  return it->second;
}

int Emitter::new_tensor(Result1 result, uint32_t buffer) {
  auto tensor = std::make_unique<schema::TensorT>();
  for (const int64_t dim : result.dims) tensor->shape.push_back(static_cast<int32_t>(dim));
  tensor->type = result.type;
  tensor->buffer = buffer;
  tensor->name = std::move(result.name);
  if (result.quant) {
    tensor->quantization = std::make_unique<schema::QuantizationParametersT>();
    tensor->quantization->scale = result.quant->scales;
    tensor->quantization->zero_point = result.quant->zeros;
    tensor->quantization->quantized_dimension = result.quant->axis;
  }
  tensors().push_back(std::move(tensor));
  return static_cast<int>(tensors().size()) - 1;
}

int Emitter::constant(const Tensor& tensor, const std::string& name,
                      const std::optional<Quant>& quant) {
  auto buffer = std::make_unique<schema::BufferT>();
  const auto bytes = tensor.byte_span();
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  buffer->data.assign(data, data + bytes.size());
  model_->buffers.push_back(std::move(buffer));
  return new_tensor({tensor.dims(), tensor_type(tensor.dtype()), name, quant},
                    static_cast<uint32_t>(model_->buffers.size() - 1));
}

int Emitter::ints(const std::vector<int64_t>& values) {
  const auto [it, fresh] = ints_.emplace(values, -1);
  if (fresh) {
    std::vector<int32_t> narrow(values.begin(), values.end());
    const Dims dims = {static_cast<int64_t>(narrow.size())};
    it->second = constant(Tensor::of<int32_t>(dims, std::span<const int32_t>(narrow)), "integers");
  }
  return it->second;
}

std::vector<int> Emitter::append(Operator op, int version, std::vector<int> inputs,
                                 std::vector<Result1> results,
                                 schema::BuiltinOptionsUnion options) {
  auto node = std::make_unique<schema::OperatorT>();
  node->opcode_index = code_index(op, version);
  node->inputs.assign(inputs.begin(), inputs.end());
  node->builtin_options = std::move(options);
  std::vector<int> outputs;
  for (Result1& result : results) outputs.push_back(new_tensor(std::move(result), 0));
  node->outputs.assign(outputs.begin(), outputs.end());
  graph_->operators.push_back(std::move(node));
  return outputs;
}

Emitter::Result1 Emitter::like(const Value* value, Layout layout) {
  Dims dims = edgewright::dims_of(value);
  if (layout == Layout::kNhwc) dims = permuted_dims(dims, kToNhwc);
  const char* suffix = layout == Layout::kNhwc ? "/nhwc" : "";
  return {std::move(dims), tensor_type(value->type.dtype), value->name + suffix};
}

Dims Emitter::dims_of(int tensor) const {
  const auto& shape = tensors()[static_cast<size_t>(tensor)]->shape;
  return {shape.begin(), shape.end()};
}

std::optional<Quant> Emitter::quant_of_tensor(int tensor) const {
  const auto& quantization = tensors()[static_cast<size_t>(tensor)]->quantization;
  if (quantization == nullptr || quantization->scale.empty()) return {};
  return Quant{quantization->scale, quantization->zero_point, quantization->quantized_dimension};
}

Emitter::Result1 Emitter::same(int tensor, Dims dims, std::string name) const {
  return {std::move(dims), tensors()[static_cast<size_t>(tensor)]->type, std::move(name),
          quant_of_tensor(tensor)};
}

int Emitter::transpose(int tensor, const std::vector<int64_t>& order) {
  const Dims dims = permuted_dims(dims_of(tensor), order);
  return add(Operator::TRANSPOSE, 2, {tensor, ints(order)},
             same(tensor, dims, name_of(tensor) + "/transposed"), schema::TransposeOptionsT());
}

int Emitter::reshape(int tensor, const Dims& dims, const std::string& name) {
  schema::ReshapeOptionsT options;
  for (const int64_t dim : dims) options.new_shape.push_back(static_cast<int32_t>(dim));
  return add(Operator::RESHAPE, 1, {tensor, ints(dims)}, same(tensor, dims, name),
             std::move(options));
}

int Emitter::requantise(int tensor, const Quant& quant) {
  if (quant_of_tensor(tensor) == quant) return tensor;
  return add(Operator::QUANTIZE, 2, {tensor},
             {dims_of(tensor), schema::TensorType::INT8, name_of(tensor) + "/rounded", quant},
             schema::QuantizeOptionsT());
}

int Emitter::dequantise(int tensor, std::string name) {
  return add(Operator::DEQUANTIZE, 2, {tensor},
             {dims_of(tensor), schema::TensorType::FLOAT32, std::move(name)},
             schema::DequantizeOptionsT());
}

int& Emitter::slot(const Value* value, Layout layout, Form form) {
  auto [it, fresh] = forms_.emplace(value, std::array<int, 4>{-1, -1, -1, -1});
  return it->second[form_index(layout, form)];
}

int Emitter::find(const Value* value, Layout layout, Form form) const {
  const auto it = forms_.find(value);
  return it == forms_.end() ? -1 : it->second[form_index(layout, form)];
}

bool Emitter::has_integer(const Value* value) const {
  return find(value, Layout::kPlain, Form::kInteger) >= 0 ||
         find(value, Layout::kNhwc, Form::kInteger) >= 0;
}

void Emitter::give(const Value* value, Layout layout, Form form, int tensor) {
  slot(value, layout, form) = tensor;
}

int Emitter::half(const Tensor& tensor, const std::string& name) {
  const auto small = options_.half_weights ? as_half_weights(tensor) : std::nullopt;
  if (!small) return constant(tensor, name);
  const int stored = constant(*small, name + "/stored");
  return add(Operator::DEQUANTIZE, 3, {stored}, {tensor.dims(), schema::TensorType::FLOAT32, name},
             schema::DequantizeOptionsT());
}

int Emitter::make_constant(const Tensor& tensor, const std::string& name, Layout layout) {
  return half(layout == Layout::kNhwc ? permuted(tensor, kToNhwc) : tensor, name);
}

int Emitter::real(const Value* value, Layout layout) {
  if (const int tensor = find(value, layout, Form::kReal); tensor >= 0) return tensor;
  int tensor = -1;
  const Layout other = layout == Layout::kPlain ? Layout::kNhwc : Layout::kPlain;
  const auto computed = computed_.find(value);
  if (value->is_constant()) {
    tensor = make_constant(*value->constant, value->name, layout);
  } else if (computed != computed_.end()) {
    tensor = make_constant(computed->second(), value->name, layout);
  } else if (const int moved = find(value, other, Form::kReal); moved >= 0) {
    tensor = transpose(moved, layout == Layout::kPlain ? kToPlain : kToNhwc);
  } else {
    EDGEWRIGHT_CHECK(has_integer(value));
    tensor = dequantise(integer(value, layout), value->name);
  }
  return slot(value, layout, Form::kReal) = tensor;
}

int Emitter::integer(const Value* value, Layout layout) {
  if (const int tensor = find(value, layout, Form::kInteger); tensor >= 0) return tensor;
  const Layout other = layout == Layout::kPlain ? Layout::kNhwc : Layout::kPlain;
  const int moved = find(value, other, Form::kInteger);
  EDGEWRIGHT_CHECK(moved >= 0);
  const int tensor = transpose(moved, layout == Layout::kPlain ? kToPlain : kToNhwc);
  return slot(value, layout, Form::kInteger) = tensor;
}

// A value of a lower rank can be aligned only when it is a constant.
bool Emitter::fits_layout(const Value* value) const {
  if (value == nullptr) return true;
  const Dims dims = edgewright::dims_of(value);
  return dims.size() == 4 || value->is_constant() || dims.empty();
}

Layout Emitter::layout_of(const Node& node) const {
  bool channels_last = false;
  for (const Value* value : node.inputs) {
    if (value == nullptr) continue;
    if (!fits_layout(value)) return Layout::kPlain;
    if (value->is_constant() || edgewright::dims_of(value).size() != 4) continue;
    const bool plain = find(value, Layout::kPlain, Form::kReal) >= 0 ||
                       find(value, Layout::kPlain, Form::kInteger) >= 0;
    const bool moved = find(value, Layout::kNhwc, Form::kReal) >= 0 ||
                       find(value, Layout::kNhwc, Form::kInteger) >= 0;
    channels_last = channels_last || (moved && !plain);
  }
  return channels_last ? Layout::kNhwc : Layout::kPlain;
}

int Emitter::operand(const Value* value, Layout layout, size_t rank) {
  const Dims dims = edgewright::dims_of(value);
  if (layout == Layout::kPlain || dims.empty()) return real(value, Layout::kPlain);
  if (dims.size() == rank) return real(value, layout);
  Dims aligned(rank - dims.size(), 1);
  aligned.insert(aligned.end(), dims.begin(), dims.end());
  return half(permuted(value->constant->reshaped(aligned), kToNhwc), value->name);
}

Tail Emitter::tail_of(const Node& node) { return tail_of(node.outputs[0]); }

namespace {

// The activation that an operator can do by itself, with the bounds of Clip.
Activation fusable(const Node& node) {
  if (node.is("Relu")) return Activation::RELU;
  if (!node.is("Clip") || node.inputs[0]->type.dtype != DType::kFloat32) return Activation::NONE;
  const auto low = constant_number(node, 1), high = constant_number(node, 2);
  if (low == 0.0f && high == 6.0f) return Activation::RELU6;
  if (low == -1.0f && high == 1.0f) return Activation::RELU_N1_TO_1;
  return Activation::NONE;
}

}  // namespace

std::optional<Quant> Emitter::rounding_of(const Value* value) {
  if (value->is_graph_output() || value->uses.empty()) return {};
  std::optional<Quant> quant;
  for (const Use& use : value->uses) {
    if (!use.node->is("QuantizeLinear") || use.index != 0) return {};
    const auto one = quant_of(*use.node);
    if (!one || (quant && *quant != *one)) return {};
    quant = one;
  }
  return quant;
}

Tail Emitter::tail_of(const Value* value) {
  Tail tail{value};
  if (value->uses.size() == 1 && !value->is_graph_output()) {
    const Node& next = *value->uses[0].node;
    tail.activation = fusable(next);
    if (tail.activation != Activation::NONE) {
      absorbed_.insert(&next);
      tail.value = next.outputs[0];
    }
  }
  tail.quant = rounding_of(tail.value);
  return tail;
}

void Emitter::finish(const Tail& tail, Layout layout, int tensor) {
  const bool rounded = quant_of_tensor(tensor).has_value();
  give(tail.value, layout, rounded ? Form::kInteger : Form::kReal, tensor);
}

Status Emitter::emit_inputs(const Graph& graph) {
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    if (!is_known(input)) {
      return unsupported("input '{}' has type {}; give its shape with --shape", input->name,
                         type_text(input->type));
    }
    const int tensor = new_tensor(like(input), 0);
    graph_->inputs.push_back(tensor);
    give(input, Layout::kPlain, Form::kReal, tensor);
  }
  return {};
}

void Emitter::emit_outputs(const Graph& graph) {
  std::set<int> taken(graph_->inputs.begin(), graph_->inputs.end());
  for (const Value* output : graph.outputs()) {
    int tensor = real(output);
    const bool stored = tensors()[static_cast<size_t>(tensor)]->buffer != 0;
    // An output is a tensor of its own, made by an operator.
    if (stored || !taken.insert(tensor).second) {
      tensor = reshape(tensor, dims_of(tensor), output->name);
    }
    tensors()[static_cast<size_t>(tensor)]->name = output->name;
    graph_->outputs.push_back(tensor);
  }
}

Status Emitter::emit_node(const Node& node) {
  if (absorbed_.contains(&node)) return {};
  return emit_by_row(*this, node, find_row(node), "TFLite");
}

Result<std::unique_ptr<schema::ModelT>> Emitter::run(const Graph& graph) {
  model_ = std::make_unique<schema::ModelT>();
  model_->version = 3;
  model_->description = "edgewright";
  model_->buffers.push_back(std::make_unique<schema::BufferT>());  // 0: no data
  model_->subgraphs.push_back(std::make_unique<schema::SubGraphT>());
  graph_ = model_->subgraphs[0].get();
  graph_->name = graph.name.empty() ? "main" : graph.name;
  EDGEWRIGHT_TRY(emit_inputs(graph));
  for (const Node& node : graph.nodes()) EDGEWRIGHT_TRY(emit_node(node));
  emit_outputs(graph);
  auto signature = std::make_unique<schema::SignatureDefT>();
  signature->signature_key = "serving_default";
  const auto list = [&](const std::vector<int32_t>& indices,
                        std::vector<std::unique_ptr<schema::TensorMapT>>& maps) {
    for (const int32_t index : indices) {
      auto map = std::make_unique<schema::TensorMapT>();
      map->name = name_of(index);
      map->tensor_index = static_cast<uint32_t>(index);
      maps.push_back(std::move(map));
    }
  };
  list(graph_->inputs, signature->inputs);
  list(graph_->outputs, signature->outputs);
  model_->signature_defs.push_back(std::move(signature));
  return std::move(model_);
}

}  // namespace edgewright::tflite_io
