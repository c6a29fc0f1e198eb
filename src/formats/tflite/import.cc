#include "formats/tflite/import.h"

#include <algorithm>
#include <array>
#include <set>

#include "formats/tflite/names.h"
#include "formats/tflite/tflite.h"

namespace edgewright::tflite_io {
namespace {

constexpr unsigned kMaxRank = 32;

struct TypeRow {
  schema::TensorType type;
  DType dtype;
};
constexpr std::array kTypes = std::to_array<TypeRow>({
    {schema::TensorType::FLOAT32, DType::kFloat32},
    {schema::TensorType::FLOAT16, DType::kFloat16},
    {schema::TensorType::FLOAT64, DType::kFloat64},
    {schema::TensorType::BFLOAT16, DType::kBfloat16},
    {schema::TensorType::INT8, DType::kInt8},
    {schema::TensorType::UINT8, DType::kUint8},
    {schema::TensorType::INT16, DType::kInt16},
    {schema::TensorType::UINT16, DType::kUint16},
    {schema::TensorType::INT32, DType::kInt32},
    {schema::TensorType::UINT32, DType::kUint32},
    {schema::TensorType::INT64, DType::kInt64},
    {schema::TensorType::UINT64, DType::kUint64},
    {schema::TensorType::BOOL, DType::kBool},
    {schema::TensorType::INT4, DType::kInt4},
});

std::optional<DType> dtype_of(schema::TensorType type) {
  const auto* it = std::ranges::find(kTypes, type, &TypeRow::type);
  return it == kTypes.end() ? std::nullopt : std::optional(it->dtype);
}

using ReadFunction = Status (*)(Importer&);

Status read_unary(Importer& importer) {
  const auto rows = unary_names();
  const auto row = std::ranges::find(rows, importer.code(), &NameRow::code);
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  return importer.finish(importer.add(std::string(row->op), {x}, {}, x->type.dtype));
}

Status read_binary(Importer& importer) {
  const auto rows = binary_names();
  const auto row = std::ranges::find(rows, importer.code(), &NameRow::code);
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
  Activation activation = Activation::NONE;
  const auto take = [&](const auto* table) {
    if (table != nullptr) activation = table->fused_activation_function();
  };
  if (importer.code() == Operator::ADD) take(importer.table<schema::AddOptions>());
  if (importer.code() == Operator::SUB) take(importer.table<schema::SubOptions>());
  if (importer.code() == Operator::MUL) take(importer.table<schema::MulOptions>());
  if (importer.code() == Operator::DIV) take(importer.table<schema::DivOptions>());
  return importer.finish(importer.add(std::string(row->op), {a, b}, {}, a->type.dtype), activation);
}

Status read_reduction(Importer& importer) {
  const auto rows = reduction_names();
  const auto row = std::ranges::find(rows, importer.code(), &NameRow::code);
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto axes, importer.ints(1));
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::ReducerOptions>());
  Attributes attributes;
  attributes.set("keepdims", int64_t{options->keep_dims()});
  return importer.finish(importer.add(std::string(row->op), {x, importer.int_list(axes)},
                                      std::move(attributes), x->type.dtype));
}

ReadFunction find_reader(int code) {
  for (const auto rows : {import_element_rows(), import_window_rows(), import_movement_rows()}) {
    for (const ImportRow& row : rows) {
      if (static_cast<int>(row.code) == code) return row.read;
    }
  }
  const auto named = [&](std::span<const NameRow> rows) {
    return std::ranges::any_of(
        rows, [&](const NameRow& row) { return static_cast<int>(row.code) == code; });
  };
  if (named(unary_names())) return read_unary;
  if (named(binary_names())) return read_binary;
  if (named(reduction_names())) return read_reduction;
  return nullptr;
}

}  // namespace

std::string code_name(int code) {
  const char* name = schema::EnumNameBuiltinOperator(static_cast<Operator>(code));
  return name == nullptr || *name == '\0' ? fmt::format("operator {}", code) : name;
}

std::string Importer::name_of(const schema::Tensor& tensor, int index) {
  if (tensor.name() == nullptr || tensor.name()->size() == 0)
    return fmt::format("tensor_{}", index);
  return tensor.name()->str();
}

const schema::Tensor* Importer::tensor_at(int index) const {
  return graph_->tensors()->Get(static_cast<unsigned>(index));
}

// Every index that the operators and the graph hold names a tensor.
Status Importer::check_graph() const {
  const auto count = static_cast<int64_t>(graph_->tensors()->size());
  const auto check = [&](const flatbuffers::Vector<int32_t>* indices, bool may_lack,
                         std::string_view place) -> Status {
    if (indices == nullptr) return {};
    for (const int32_t index : *indices) {
      if (index >= count || index < (may_lack ? -1 : 0)) {
        return bad_input("{}: tensor {}, there are {}", place, index, count);
      }
    }
    return {};
  };
  EDGEWRIGHT_TRY(check(graph_->inputs(), false, "the inputs"));
  EDGEWRIGHT_TRY(check(graph_->outputs(), false, "the outputs"));
  if (graph_->operators() == nullptr) return {};
  const auto codes = schema_.operator_codes() == nullptr ? 0 : schema_.operator_codes()->size();
  for (unsigned i = 0; i < graph_->operators()->size(); ++i) {
    const auto* op = graph_->operators()->Get(i);
    const std::string place = fmt::format("operator {}", i);
    EDGEWRIGHT_TRY(check(op->inputs(), true, place));
    EDGEWRIGHT_TRY(check(op->outputs(), false, place));
    if (op->opcode_index() >= codes) return bad_input("{}: code {}", place, op->opcode_index());
  }
  return {};
}

Result<ValueType> Importer::type_of(const schema::Tensor& tensor) const {
  const auto dtype = dtype_of(tensor.type());
  if (!dtype) {
    const auto type = static_cast<int>(tensor.type());
    if (type < 0 || type > static_cast<int>(schema::TensorType::MAX)) {
      return bad_input("tensor '{}' has type {}, TFLite has 0 to {}", name_of(tensor, 0), type,
                       static_cast<int>(schema::TensorType::MAX));
    }
    return unsupported("tensor '{}' has type {}", name_of(tensor, 0),
                       schema::EnumNameTensorType(tensor.type()));
  }
  Shape shape;
  // The signature has -1 for open dimensions, of which the shape says 1.
  const bool has_signature =
      tensor.shape_signature() != nullptr && tensor.shape_signature()->size() > 0;
  const auto* dims = has_signature ? tensor.shape_signature() : tensor.shape();
  const int lowest = has_signature ? -1 : 0;
  for (unsigned i = 0; dims != nullptr && i < dims->size(); ++i) {
    if (dims->Get(i) < lowest || i == kMaxRank) {
      return bad_input("tensor '{}': dimension {} is {}", name_of(tensor, 0), i, dims->Get(i));
    }
    shape.push_back(dims->Get(i) < 0 ? Dim() : Dim(dims->Get(i)));
  }
  return ValueType::tensor(*dtype, shape);
}

Result<Dims> Importer::known_dims_of(const schema::Tensor& tensor) const {
  EDGEWRIGHT_ASSIGN(const ValueType type, type_of(tensor));
  auto dims = known_dims(*type.shape);
  if (!dims) return unsupported("tensor '{}' has open dimensions", name_of(tensor, 0));
  return *std::move(dims);
}

bool Importer::is_constant(const schema::Tensor& tensor) const {
  const auto* buffers = schema_.buffers();
  if (tensor.is_variable() || buffers == nullptr || tensor.buffer() >= buffers->size())
    return false;
  const auto* data = buffers->Get(tensor.buffer())->data();
  return data != nullptr && data->size() > 0;
}

Result<Tensor> Importer::constant_of(const schema::Tensor& tensor) const {
  EDGEWRIGHT_ASSIGN(const Dims dims, known_dims_of(tensor));
  const DType dtype = *dtype_of(tensor.type());
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  const auto* data = schema_.buffers()->Get(tensor.buffer())->data();
  if (count > (int64_t{1} << 40) ||
      dtype_bytes(dtype, static_cast<size_t>(count)) != data->size()) {
    return bad_input("tensor '{}': found {} bytes for {} of {}", name_of(tensor, 0), data->size(),
                     dims_text(dims), dtype_name(dtype));
  }
  return Tensor::view(dtype, dims, data->data(), file_);
}

bool Importer::is_rounded(const schema::Tensor& tensor) {
  const auto* quantization = tensor.quantization();
  const bool integers =
      tensor.type() == schema::TensorType::INT8 || tensor.type() == schema::TensorType::UINT8 ||
      tensor.type() == schema::TensorType::INT16 || tensor.type() == schema::TensorType::INT32 ||
      tensor.type() == schema::TensorType::INT4;
  return integers && quantization != nullptr && quantization->scale() != nullptr &&
         quantization->scale()->size() > 0;
}

Result<Importer::Rounding> Importer::rounding_of(const schema::Tensor& tensor, DType dtype,
                                                 size_t rank) {
  const auto& quantization = *tensor.quantization();
  const auto& scales = *quantization.scale();
  const auto* zeros = quantization.zero_point();
  const bool one = scales.size() == 1;
  const auto axis = quantization.quantized_dimension();
  if (!one && (axis < 0 || static_cast<size_t>(axis) >= rank)) {
    return bad_input("tensor '{}' of rank {} is quantised along axis {}", name_of(tensor, 0), rank,
                     axis);
  }
  if (zeros != nullptr && zeros->size() != scales.size() && zeros->size() > 1) {
    return bad_input("tensor '{}': {} scales, {} zero points", name_of(tensor, 0), scales.size(),
                     zeros->size());
  }
  const Dims dims = one ? Dims{} : Dims{static_cast<int64_t>(scales.size())};
  EDGEWRIGHT_ASSIGN(Tensor scale, Tensor::allocate(DType::kFloat32, dims));
  EDGEWRIGHT_ASSIGN(Tensor zero, Tensor::allocate(dtype, dims));
  for (unsigned i = 0; i < scales.size(); ++i) {
    scale.mutable_data<float>()[i] = scales.Get(i);
    const int64_t point =
        zeros == nullptr || zeros->size() == 0 ? 0 : zeros->Get(zeros->size() == 1 ? 0 : i);
    if (dtype == DType::kInt8) zero.mutable_data<int8_t>()[i] = static_cast<int8_t>(point);
    if (dtype == DType::kUint8) zero.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(point);
    if (dtype == DType::kInt16) zero.mutable_data<int16_t>()[i] = static_cast<int16_t>(point);
  }
  // Biases have no zero points.
  const bool pointless = dtype == DType::kInt32 || dtype == DType::kInt4;
  return Rounding{constant(std::move(scale)), pointless ? nullptr : constant(std::move(zero)),
                  axis};
}

Result<Value*> Importer::dequantised(Tensor integers, const Rounding& rounding,
                                     const std::string& name) {
  std::vector<Value*> inputs = {model_.graph->add_constant(name, std::move(integers)),
                                rounding.scale};
  if (rounding.zero != nullptr) inputs.push_back(rounding.zero);
  Attributes attributes;
  attributes.set("axis", rounding.axis);
  return add("DequantizeLinear", std::move(inputs), std::move(attributes));
}

// Constants are made when they are asked for.
Result<Value*> Importer::value_of(int index) {
  if (const auto it = values_.find(index); it != values_.end()) return it->second;
  const schema::Tensor& tensor = *tensor_at(index);
  const std::string name = name_of(tensor, index);
  if (!is_constant(tensor)) return bad_input("tensor '{}' is read before it is made", name);
  EDGEWRIGHT_ASSIGN(Tensor data, constant_of(tensor));
  if (!is_rounded(tensor)) {
    return values_[index] = model_.graph->add_constant(name, std::move(data));
  }
  EDGEWRIGHT_ASSIGN(const Rounding rounding, rounding_of(tensor, data.dtype(), data.rank()));
  EDGEWRIGHT_ASSIGN(values_[index], dequantised(std::move(data), rounding, name));
  return values_[index];
}

Result<Value*> Importer::input(size_t index) {
  if (!has_input(index)) return bad_input("input {} is missing", index);
  return value_of(input_index(index));
}

Result<Dims> Importer::dims(size_t index) const {
  if (!has_input(index)) return bad_input("input {} is missing", index);
  return known_dims_of(*tensor_at(input_index(index)));
}

Result<Dims> Importer::output_dims(size_t index) const {
  if (index >= outputs()) return bad_input("output {} is missing", index);
  return known_dims_of(*tensor_at(op_->outputs()->Get(static_cast<unsigned>(index))));
}

Result<DType> Importer::output_dtype(size_t index) const {
  if (index >= outputs()) return bad_input("output {} is missing", index);
  EDGEWRIGHT_ASSIGN(const ValueType type,
                    type_of(*tensor_at(op_->outputs()->Get(static_cast<unsigned>(index)))));
  return type.dtype;
}

Result<std::vector<int64_t>> Importer::ints(size_t index) {
  EDGEWRIGHT_ASSIGN(const Value* value, input(index));
  if (!is_integer(value->type.dtype)) {
    return bad_input("input {} has type {}, expected integers", index,
                     dtype_name(value->type.dtype));
  }
  if (!value->is_constant()) return unsupported("input {} must be a constant here", index);
  return value->constant->to_int64s();
}

Result<int64_t> Importer::one_int(size_t index) {
  EDGEWRIGHT_ASSIGN(const auto values, ints(index));
  if (values.size() != 1) return bad_input("input {} must be one number", index);
  return values[0];
}

namespace {

// Elements in another order of axes; `order` is a permutation of the axes of the tensor.
Result<Tensor> reordered(const Tensor& tensor, const std::vector<int64_t>& order) {
  Dims dims;
  std::vector<int64_t> strides(order.size(), 1), moved, at(order.size(), 0);
  for (size_t i = order.size(); i-- > 1;) strides[i - 1] = strides[i] * tensor.dim(i);
  for (const int64_t axis : order) {
    dims.push_back(tensor.dim(static_cast<size_t>(axis)));
    moved.push_back(strides[static_cast<size_t>(axis)]);
  }
  EDGEWRIGHT_ASSIGN(Tensor result, Tensor::allocate_uninitialised(tensor.dtype(), dims));
  const auto item = static_cast<size_t>(dtype_bits(tensor.dtype()) / 8);
  int64_t from = 0;
  for (int64_t to = 0; to < tensor.element_count(); ++to) {
    std::copy_n(tensor.bytes() + static_cast<size_t>(from) * item, item,
                result.mutable_bytes() + static_cast<size_t>(to) * item);
    for (size_t i = order.size(); i-- > 0;) {
      from += moved[i];
      if (++at[i] < dims[i]) break;
      from -= moved[i] * dims[i];
      at[i] = 0;
    }
  }
  return result;
}

}  // namespace

Result<Value*> Importer::weights(size_t index, const std::vector<int64_t>& order) {
  if (!has_input(index)) return bad_input("input {} is missing", index);
  const schema::Tensor& tensor = *tensor_at(input_index(index));
  EDGEWRIGHT_ASSIGN(const Dims shape, known_dims_of(tensor));
  if (shape.size() != order.size()) {
    return bad_input("found weights of rank {}, expected {}", shape.size(), order.size());
  }
  if (!is_constant(tensor) || dtype_bits(*dtype_of(tensor.type())) % 8 != 0) {
    EDGEWRIGHT_ASSIGN(Value * value, input(index));
    return transpose(value, order);
  }
  EDGEWRIGHT_ASSIGN(const Tensor data, constant_of(tensor));
  EDGEWRIGHT_ASSIGN(Tensor moved, reordered(data, order));
  const std::string name = name_of(tensor, input_index(index));
  if (!is_rounded(tensor)) return model_.graph->add_constant(name, std::move(moved));
  EDGEWRIGHT_ASSIGN(Rounding rounding, rounding_of(tensor, data.dtype(), data.rank()));
  rounding.axis = std::ranges::find(order, rounding.axis) - order.begin();
  return dequantised(std::move(moved), rounding, name);
}

Value* Importer::int_list(const std::vector<int64_t>& values) {
  return constant(
      Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, std::span<const int64_t>(values)));
}

Value* Importer::add(std::string op, std::vector<Value*> inputs, Attributes attributes,
                     DType dtype) {
  std::string name = op_ == nullptr || outputs() == 0
                         ? op
                         : name_of(*tensor_at(op_->outputs()->Get(0)), 0) + "/" + op;
  Node* node = model_.graph->add_node(std::move(op), std::move(inputs), {std::move(name)},
                                      std::move(attributes));
  node->outputs[0]->type = ValueType::tensor(dtype);
  return node->outputs[0];
}

Value* Importer::transpose(Value* value, std::vector<int64_t> order) {
  Attributes attributes;
  attributes.set("perm", std::move(order));
  return add("Transpose", {value}, std::move(attributes), value->type.dtype);
}

Result<Value*> Importer::activated(Value* value, Activation activation) {
  switch (activation) {
    case Activation::NONE: return value;
    case Activation::RELU: return add("Relu", {value});
    case Activation::RELU6: return add("Clip", {value, number(0), number(6)});
    case Activation::RELU_N1_TO_1: return add("Clip", {value, number(-1), number(1)});
    case Activation::TANH: return add("Tanh", {value});
    case Activation::SIGN_BIT: return unsupported("activation SIGN_BIT");
    default:
      return bad_input("activation {}, TFLite has 0 to {}", static_cast<int>(activation),
                       static_cast<int>(Activation::MAX));
  }
}

Status Importer::finish(Value* value, Activation activation, size_t index) {
  if (index >= outputs()) return bad_input("output {} is missing", index);
  const int at = op_->outputs()->Get(static_cast<unsigned>(index));
  const schema::Tensor& tensor = *tensor_at(at);
  EDGEWRIGHT_ASSIGN(value, activated(value, activation));
  EDGEWRIGHT_ASSIGN(const ValueType type, type_of(tensor));
  if (is_rounded(tensor) && type.dtype != DType::kInt32) {
    EDGEWRIGHT_ASSIGN(const Rounding rounding, rounding_of(tensor, type.dtype, type.shape->size()));
    Attributes attributes;
    attributes.set("axis", rounding.axis);
    Value* integers =
        add("QuantizeLinear", {value, rounding.scale, rounding.zero}, attributes, type.dtype);
    integers->type.shape = type.shape;
    value = add("DequantizeLinear", {integers, rounding.scale, rounding.zero}, attributes);
    value->type.shape = type.shape;
  } else if (value->producer != nullptr) {
    value->type = type;
  }
  const std::string name = name_of(tensor, at);
  if (value->producer != nullptr && model_.graph->find_value(name) == nullptr) {
    model_.graph->rename(value, name);
  }
  values_[at] = value;
  return {};
}

Status Importer::read_inputs() {
  if (graph_->inputs() == nullptr) return {};
  for (const int32_t index : *graph_->inputs()) {
    const schema::Tensor& tensor = *tensor_at(index);
    EDGEWRIGHT_ASSIGN(const ValueType type, type_of(tensor));
    Value* value = model_.graph->add_input(name_of(tensor, index), type);
    if (is_rounded(tensor)) {
      EDGEWRIGHT_ASSIGN(const Rounding rounding,
                        rounding_of(tensor, type.dtype, type.shape->size()));
      std::vector<Value*> inputs = {value, rounding.scale};
      if (rounding.zero != nullptr) inputs.push_back(rounding.zero);
      value = add("DequantizeLinear", std::move(inputs));
    }
    values_[index] = value;
  }
  return {};
}

Status Importer::read_operator(const schema::Operator& op) {
  op_ = &op;
  const auto* code = schema_.operator_codes()->Get(op.opcode_index());
  const int number = std::max<int>(code->deprecated_builtin_code(), code->builtin_code());
  code_ = static_cast<Operator>(number);
  return find_reader(number)(*this);
}

Status Importer::read_outputs() {
  op_ = nullptr;
  if (graph_->outputs() == nullptr || graph_->outputs()->size() == 0) {
    return bad_input("found no outputs, expected at least one");
  }
  for (const int32_t index : *graph_->outputs()) {
    EDGEWRIGHT_ASSIGN(Value * value, value_of(index));
    const schema::Tensor& tensor = *tensor_at(index);
    // Integers with a scale leave as the integers that they are.
    if (is_rounded(tensor) && value->producer != nullptr &&
        value->producer->is("DequantizeLinear")) {
      value = value->producer->inputs[0];
    }
    if (value->producer == nullptr || value->is_graph_output()) {
      const ValueType type = value->type;
      value = add("Identity", {value});
      value->type = type;
    }
    model_.graph->add_output(value);
  }
  return {};
}

Result<Model> Importer::run() {
  if (schema_.subgraphs() == nullptr || schema_.subgraphs()->size() == 0) {
    return bad_input("found no subgraph, expected one");
  }
  if (schema_.subgraphs()->size() != 1) {
    return unsupported("found {} subgraphs, one is read here", schema_.subgraphs()->size());
  }
  graph_ = schema_.subgraphs()->Get(0);
  if (graph_->tensors() == nullptr) return bad_input("found no tensors, expected at least one");
  EDGEWRIGHT_TRY(check_graph());
  std::set<std::string> unknown;
  // STABLEHLO_CASE, the last code of the schema module of ai-edge-litert 2.3.0.
  constexpr int kNewest = 209;
  const unsigned count = graph_->operators() == nullptr ? 0 : graph_->operators()->size();
  for (unsigned i = 0; i < count; ++i) {
    const auto* code = schema_.operator_codes()->Get(graph_->operators()->Get(i)->opcode_index());
    const int number = std::max<int>(code->deprecated_builtin_code(), code->builtin_code());
    // 127 stands in the older of two fields and says that the newer one counts.
    constexpr int kPlaceholder = 127;
    if (number < 0 || number > kNewest || number == kPlaceholder) {
      return bad_input("operator {} has the code {}, TFLite has 0 to {}", i, number, kNewest);
    }
    if (find_reader(number) == nullptr) unknown.insert(code_name(number));
  }
  if (!unknown.empty()) return unsupported("no counterpart for {}", fmt::join(unknown, ", "));
  model_.graph->name = graph_->name() == nullptr ? "main" : graph_->name()->str();
  model_.producer_name = "TFLite";
  EDGEWRIGHT_TRY(read_inputs());
  for (unsigned i = 0; i < count; ++i) {
    Status status = read_operator(*graph_->operators()->Get(i));
    if (!status.ok()) {
      return std::move(status).error().at(
          fmt::format("operator {} ({})", i, code_name(static_cast<int>(code_))));
    }
  }
  EDGEWRIGHT_TRY(read_outputs());
  return std::move(model_);
}

}  // namespace edgewright::tflite_io
