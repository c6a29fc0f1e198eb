#include "formats/coreml/emit.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include "tensor/element.h"
#include "tensor/half_weights.h"

namespace edgewright::coreml {
namespace {

// Smaller constants stand in the specification itself.
constexpr int64_t kLeastBlobElements = 32;
// Ranks that every compute unit takes.
constexpr size_t kMaxRank = 5;

// MILSpec.DataType, and ArrayFeatureType.ArrayDataType of interfaces (0: interfaces have it not).
struct TypeRow {
  DType dtype;
  uint64_t mil, array;
};
constexpr TypeRow kTypes[] = {
    {DType::kFloat32, 11, 0x10020}, {DType::kFloat16, 10, 0x10010}, {DType::kInt32, 23, 0x20020},
    {DType::kInt64, 23, 0x20020},   {DType::kBool, 1, 0},           {DType::kInt8, 21, 0},
    {DType::kUint8, 31, 0},         {DType::kString, 2, 0},
};

const TypeRow* type_row(DType dtype) {
  const auto* it = std::ranges::find(kTypes, dtype, &TypeRow::dtype);
  return it == std::end(kTypes) ? nullptr : it;
}

// ValueType of a tensor.
Message tensor_type(DType dtype, const Dims& dims) {
  Message tensor;
  tensor.number(1, type_row(dtype)->mil).number(2, dims.size());
  for (const int64_t dim : dims) {
    tensor.message(3, Message().message(1, Message().number(1, static_cast<uint64_t>(dim))));
  }
  return Message().message(1, tensor);
}

Message named_type(std::string_view name, const Message& type) {
  return Message().text(1, name).message(2, type);
}

// TensorValue with the elements of a small tensor.
Message elements_of(const Tensor& tensor) {
  Message packed;
  switch (tensor.dtype()) {
    case DType::kFloat32:
      for (int64_t i = 0; i < tensor.element_count(); ++i) {
        packed.fixed(static_cast<float>(load_double(tensor.dtype(), tensor.bytes(), i)));
      }
      return Message().message(1, Message().message(1, packed));
    case DType::kInt32:
    case DType::kInt64:
      for (int64_t i = 0; i < tensor.element_count(); ++i) {
        // Limits such as the end of a slice may be the largest int64.
        const int64_t value = load_int64(tensor.dtype(), tensor.bytes(), i);
        packed.varint(static_cast<uint64_t>(std::clamp<int64_t>(
            value, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max())));
      }
      return Message().message(2, Message().message(1, packed));
    case DType::kBool:
      for (int64_t i = 0; i < tensor.element_count(); ++i) {
        packed.varint(load_int64(tensor.dtype(), tensor.bytes(), i) != 0 ? 1 : 0);
      }
      return Message().message(3, Message().message(1, packed));
    case DType::kString: {
      Message strings;
      for (const std::string& text : tensor.string_elements()) strings.text(1, text);
      return Message().message(4, strings);
    }
    default: {
      const std::string_view bytes(reinterpret_cast<const char*>(tensor.bytes()),
                                   tensor.size_bytes());
      return Message().message(7, Message().text(1, bytes));
    }
  }
}

Message string_value(std::string_view text) {
  return Message()
      .message(2, tensor_type(DType::kString, {}))
      .message(3, Message().message(1, Message().message(4, Message().text(1, text))));
}

// Values have a type of the table, fixed shapes, and elements.
bool has_type(const Value* value) {
  if (value == nullptr) return true;
  return value->type.is_tensor() && type_row(value->type.dtype) != nullptr &&
         value->type.dtype != DType::kString && value->type.shape &&
         known_dims(*value->type.shape) && value->type.shape->size() <= kMaxRank &&
         std::ranges::find(*value->type.shape, Dim(0)) == value->type.shape->end();
}

// Arrays of an interface have at least one axis.
bool fits_interface(const Value* value) {
  return has_type(value) && type_row(value->type.dtype)->array != 0 && !value->type.shape->empty();
}

Message argument(const std::vector<std::string>& names) {
  Message result;
  for (const std::string& name : names) result.message(1, Message().text(1, name));
  return result;
}

}  // namespace

const EmitRow* find_row(const Node& node) {
  if (!node.domain.empty() || node.outputs.empty()) return nullptr;
  const auto is_given = [](const Value* value) { return value != nullptr && has_type(value); };
  if (!std::ranges::all_of(node.inputs, has_type)) return nullptr;
  if (!std::ranges::all_of(node.outputs, is_given)) return nullptr;
  return find_operator_row<Emitter>(node, {element_rows(), movement_rows(), product_rows(),
                                           quantization_rows(), reduction_rows(), window_rows()});
}

bool is_float(const Node& node) { return is_floating_point(node.inputs[0]->type.dtype); }

bool is_settled(const Node& node, size_t index) {
  const Value* value = node.input(index);
  return value == nullptr || value->is_constant() || value->producer != nullptr;
}

std::string Emitter::fresh(std::string_view name) {
  std::string identifier;
  for (const char c : name) {
    identifier += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  if (identifier.empty() || std::isdigit(static_cast<unsigned char>(identifier[0])) != 0) {
    identifier.insert(0, "v_");
  }
  std::string unique = identifier;
  for (int i = 1; !names_.insert(unique).second; ++i) unique = fmt::format("{}_{}", identifier, i);
  return unique;
}

Message Emitter::value_of(const Tensor& tensor) {
  Message value;
  value.message(2, tensor_type(tensor.dtype(), tensor.dims()));
  if (tensor.element_count() >= kLeastBlobElements && WeightsFile::has(tensor.dtype())) {
    const uint64_t offset = weights_.add(tensor);
    return value.message(5, Message().text(1, kWeightsReference).number(2, offset));
  }
  return value.message(3, Message().message(1, elements_of(tensor)));
}

void Emitter::append_constant(const std::string& name, const Message& type, const Message& value) {
  Message operation;
  operation.text(1, "const").message(3, named_type(name, type));
  operation.entry(5, "name", string_value(name)).entry(5, "val", value);
  block_.message(3, operation);
}

std::string Emitter::constant(const Tensor& tensor, std::string_view name) {
  if (options_.half_weights) {
    if (const auto half = as_half_weights(tensor)) {
      const std::string stored = fresh(std::string(name) + "_stored");
      append_constant(stored, tensor_type(DType::kFloat16, tensor.dims()), value_of(*half));
      Message operation;
      const std::string result = fresh(name);
      operation.text(1, "cast")
          .entry(2, "dtype", argument({text("fp32")}))
          .entry(2, "x", argument({stored}))
          .message(3, named_type(result, tensor_type(tensor.dtype(), tensor.dims())))
          .entry(5, "name", string_value(result));
      block_.message(3, operation);
      return result;
    }
  }
  const std::string result = fresh(name);
  append_constant(result, tensor_type(tensor.dtype(), tensor.dims()), value_of(tensor));
  return result;
}

// Parameters repeat from operation to operation; each value is written once.
std::string Emitter::ints(const std::vector<int64_t>& values) {
  const std::string key = fmt::format("ints_{}", fmt::join(values, "_"));
  auto [it, is_new] = small_constants_.try_emplace(key);
  if (is_new) {
    std::vector<int32_t> narrow;
    for (const int64_t value : values) narrow.push_back(static_cast<int32_t>(value));
    it->second = constant(Tensor::of<int32_t>({static_cast<int64_t>(values.size())},
                                              std::span<const int32_t>(narrow)),
                          "ints");
  }
  return it->second;
}

std::string Emitter::integer(int64_t value) {
  auto [it, is_new] = small_constants_.try_emplace(fmt::format("int_{}", value));
  if (is_new) it->second = constant(Tensor::scalar(static_cast<int32_t>(value)), "int");
  return it->second;
}

std::string Emitter::number(double value, DType like) {
  auto [it, is_new] =
      small_constants_.try_emplace(fmt::format("number_{}_{}", dtype_name(like), value));
  if (is_new) {
    const auto narrow = static_cast<float>(value);
    it->second = constant(
        like == DType::kFloat16 ? Tensor::scalar(Half(narrow)) : Tensor::scalar(narrow), "number");
  }
  return it->second;
}

std::string Emitter::flag(bool value) {
  auto [it, is_new] = small_constants_.try_emplace(value ? "flag_true" : "flag_false");
  if (is_new) it->second = constant(Tensor::scalar(value), "flag");
  return it->second;
}

std::string Emitter::flags(size_t count, bool value) {
  auto [it, is_new] = small_constants_.try_emplace(fmt::format("flags_{}_{}", count, value));
  if (is_new) {
    Tensor tensor = *Tensor::allocate(DType::kBool, {static_cast<int64_t>(count)});
    std::fill_n(tensor.mutable_data<bool>(), count, value);
    it->second = constant(tensor, "flags");
  }
  return it->second;
}

std::string Emitter::text(std::string_view value) {
  auto [it, is_new] = small_constants_.try_emplace(fmt::format("text_{}", value));
  if (is_new) it->second = constant(Tensor::strings({}, {std::string(value)}), "text");
  return it->second;
}

std::string Emitter::input(const Node& node, size_t i) {
  const Value* value = node.inputs[i];
  if (const auto it = values_.find(value); it != values_.end()) return it->second;
  EDGEWRIGHT_CHECK(value->is_constant());
  return values_[value] = constant(*value->constant, value->name);
}

std::string Emitter::add(const Node& node, std::string_view operation, const Arguments& arguments,
                         DType dtype, const Dims& dims) {
  const std::string name = fresh(fmt::format("{}_{}", node.outputs[0]->name, operation));
  Message message;
  message.text(1, operation);
  for (const auto& [parameter, names] : arguments) message.entry(2, parameter, argument(names));
  message.message(3, named_type(name, tensor_type(dtype, dims)));
  message.entry(5, "name", string_value(name));
  block_.message(3, message);
  return name;
}

void Emitter::finish(const Node& node, std::string_view operation, const Arguments& arguments) {
  Message message;
  message.text(1, operation);
  for (const auto& [parameter, names] : arguments) message.entry(2, parameter, argument(names));
  for (const Value* output : node.outputs) {
    const std::string name = fresh(output->name);
    values_[output] = name;
    message.message(3, named_type(name, tensor_type(output->type.dtype, dims_of(output))));
  }
  message.entry(5, "name", string_value(values_[node.outputs[0]]));
  block_.message(3, message);
}

void Emitter::finish_constant(const Node& node, std::string_view operation,
                              const std::vector<std::pair<std::string, Tensor>>& attributes) {
  const Value* output = node.outputs[0];
  const std::string name = values_[output] = fresh(output->name);
  Message message;
  message.text(1, operation);
  message.message(3, named_type(name, tensor_type(output->type.dtype, dims_of(output))));
  message.entry(5, "name", string_value(name));
  for (const auto& [parameter, tensor] : attributes) {
    message.entry(5, parameter, value_of(tensor));
  }
  block_.message(3, message);
}

std::string Emitter::reshape(const Node& node, const std::string& from, DType dtype,
                             const Dims& dims) {
  return add(node, "reshape", {{"shape", {ints(dims)}}, {"x", {from}}}, dtype, dims);
}

// FeatureDescription of an input or output.
Message Emitter::feature(const Value& value, const std::string& name) const {
  Message shape;
  for (const int64_t dim : dims_of(&value)) shape.varint(static_cast<uint64_t>(dim));
  Message array;
  array.message(1, shape).number(2, type_row(value.type.dtype)->array);
  return Message().text(1, name).message(3, Message().message(5, array));
}

Status Emitter::add_inputs(const Graph& graph) {
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    if (!fits_interface(input)) {
      return unsupported("input '{}' is {}, which Core ML interfaces have not", input->name,
                         type_text(input->type));
    }
    const std::string name = values_[input] = fresh(input->name);
    inputs_.message(1, named_type(name, tensor_type(input->type.dtype, dims_of(input))));
    description_.message(1, feature(*input, name));
  }
  return {};
}

Status Emitter::add_nodes(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    EDGEWRIGHT_TRY(emit_by_row(*this, node, find_row(node), "Core ML"));
  }
  return {};
}

// Outputs must come from operations: a constant or an input goes through an identity.
void Emitter::add_outputs(const Graph& graph) {
  for (const Value* output : graph.outputs()) {
    if (!values_.contains(output)) values_[output] = constant(*output->constant, output->name);
    std::string name = values_[output];
    if (output->producer == nullptr) {
      const std::string from = name;
      name = fresh(output->name + "_output");
      Message message;
      message.text(1, "identity")
          .entry(2, "x", argument({from}))
          .message(3, named_type(name, tensor_type(output->type.dtype, dims_of(output))))
          .entry(5, "name", string_value(name));
      block_.message(3, message);
    }
    block_.text(2, name);
    description_.message(10, feature(*output, name));
  }
}

Message Emitter::assemble() const {
  const std::string opset = fmt::format("CoreML{}", opset_);
  Message function = inputs_;
  function.text(2, opset).entry(3, opset, block_);
  Message program;
  program.number(1, 1).entry(2, "main", function);
  Message model;
  // Specification versions 6 to 8 go with CoreML5 to CoreML7.
  model.number(1, static_cast<uint64_t>(opset_ + 1)).message(2, description_);
  return model.message(502, program);
}

Result<Program> Emitter::run(const Graph& graph) {
  EDGEWRIGHT_TRY(add_inputs(graph));
  EDGEWRIGHT_TRY(add_nodes(graph));
  for (const Value* output : graph.outputs()) {
    if (!fits_interface(output)) {
      return unsupported("output '{}' is {}, which Core ML interfaces have not", output->name,
                         type_text(output->type));
    }
  }
  add_outputs(graph);
  return Program{assemble(), std::move(weights_).finish()};
}

}  // namespace edgewright::coreml
