#include "formats/coreml/import.h"

#include <algorithm>
#include <set>

namespace edgewright::coreml {
namespace {

ReadFunction find_reader(std::string_view type) {
  for (const auto rows : {import_element_rows(), import_movement_rows(), import_product_rows(),
                          import_reduction_rows(), import_window_rows()}) {
    const auto it = std::ranges::find(rows, type, &ImportRow::type);
    if (it != rows.end()) return it->read;
  }
  return named_reader(type);
}

// What cannot be read is refused before anything is made of it: by name what Core ML has, as a
// damaged file what it has not.
Status check_operations(const MlProgram& program) {
  std::set<std::string> missing, unknown;
  for (const Operation& operation : program.operations) {
    if (operation.type == "const" || find_reader(operation.type) != nullptr) continue;
    (is_known_operation(operation.type) ? missing : unknown).insert(operation.type);
  }
  if (!unknown.empty()) {
    return bad_input("found operations '{}', which Core ML has not", fmt::join(unknown, "', '"));
  }
  if (!missing.empty()) return unsupported("no counterpart for {}", fmt::join(missing, ", "));
  return {};
}

}  // namespace

bool Importer::has(std::string_view parameter) const {
  const auto it = operation_->inputs.find(parameter);
  return (it != operation_->inputs.end() && !it->second.empty()) ||
         operation_->attributes.contains(parameter);
}

Result<Value*> Importer::value_of(const Argument& argument) {
  if (argument.constant) {
    if (argument.constant->dtype() == DType::kString) return bad_input("a text is no tensor here");
    return constant(*argument.constant);
  }
  if (const auto it = values_.find(argument.name); it != values_.end()) return it->second;
  const auto it = constants_.find(argument.name);
  if (it == constants_.end()) return bad_input("'{}' is read before it is made", argument.name);
  if (it->second.dtype() == DType::kString) return bad_input("'{}' is a text", argument.name);
  return values_[argument.name] = model_.graph->add_constant(argument.name, it->second);
}

Result<Value*> Importer::input(std::string_view parameter) {
  EDGEWRIGHT_ASSIGN(const auto values, list(parameter));
  if (values.size() != 1) return bad_input("'{}' is {} values, not one", parameter, values.size());
  return values[0];
}

Result<std::vector<Value*>> Importer::list(std::string_view parameter) {
  const auto it = operation_->inputs.find(parameter);
  if (it == operation_->inputs.end() || it->second.empty()) {
    return bad_input("found no '{}'", parameter);
  }
  std::vector<Value*> values;
  for (const Argument& argument : it->second) {
    EDGEWRIGHT_ASSIGN(Value * value, value_of(argument));
    values.push_back(value);
  }
  return values;
}

Result<Dims> Importer::dims(std::string_view parameter) {
  EDGEWRIGHT_ASSIGN(const Value* value, input(parameter));
  auto dims = value->type.shape ? known_dims(*value->type.shape) : std::nullopt;
  if (!dims) return unsupported("'{}' has open dimensions", parameter);
  return *std::move(dims);
}

Result<Tensor> Importer::constant_of(const Argument& argument) const {
  if (argument.constant) return *argument.constant;
  if (const auto it = constants_.find(argument.name); it != constants_.end()) return it->second;
  const auto it = values_.find(argument.name);
  if (it == values_.end()) return bad_input("'{}' is read before it is made", argument.name);
  if (it->second->is_constant()) return *it->second->constant;
  return unsupported("'{}' must be a constant here", argument.name);
}

// An input, or an attribute of what the compiler computes.
Result<Tensor> Importer::constant_of(std::string_view parameter) {
  const auto attribute = operation_->attributes.find(parameter);
  if (attribute != operation_->attributes.end()) return attribute->second;
  const auto it = operation_->inputs.find(parameter);
  if (it == operation_->inputs.end() || it->second.size() != 1) {
    return bad_input("found no '{}', or several", parameter);
  }
  auto tensor = constant_of(it->second[0]);
  if (!tensor.ok()) return std::move(tensor).error().at(parameter);
  return tensor;
}

Result<std::vector<int64_t>> Importer::ints(std::string_view parameter) {
  EDGEWRIGHT_ASSIGN(const Tensor tensor, constant_of(parameter));
  if (!is_integer(tensor.dtype()) && tensor.dtype() != DType::kBool) {
    return bad_input("'{}' is {}, expected integers", parameter, dtype_name(tensor.dtype()));
  }
  return tensor.to_int64s();
}

Result<int64_t> Importer::integer(std::string_view parameter, int64_t otherwise) {
  if (!has(parameter)) return otherwise;
  EDGEWRIGHT_ASSIGN(const auto values, ints(parameter));
  if (values.size() != 1) return bad_input("'{}' is {} numbers, not one", parameter, values.size());
  return values[0];
}

Result<float> Importer::number(std::string_view parameter, float otherwise) {
  if (!has(parameter)) return otherwise;
  EDGEWRIGHT_ASSIGN(const Tensor tensor, constant_of(parameter));
  if (tensor.dtype() == DType::kString || tensor.element_count() != 1) {
    return bad_input("'{}' is not one number", parameter);
  }
  EDGEWRIGHT_ASSIGN(const auto values, tensor.to_doubles());
  return static_cast<float>(values[0]);
}

Result<bool> Importer::flag(std::string_view parameter, bool otherwise) {
  EDGEWRIGHT_ASSIGN(const int64_t value, integer(parameter, otherwise ? 1 : 0));
  return value != 0;
}

Result<std::string> Importer::text(std::string_view parameter, std::string_view otherwise) {
  if (!has(parameter)) return std::string(otherwise);
  EDGEWRIGHT_ASSIGN(const Tensor tensor, constant_of(parameter));
  if (tensor.dtype() != DType::kString || tensor.element_count() != 1) {
    return bad_input("'{}' is no text", parameter);
  }
  return tensor.string_elements()[0];
}

Result<ValueType> Importer::output_type(size_t index) const {
  if (index >= operation_->outputs.size()) return bad_input("output {} is missing", index);
  return operation_->outputs[index].type;
}

Result<Dims> Importer::output_dims(size_t index) const {
  EDGEWRIGHT_ASSIGN(const ValueType type, output_type(index));
  auto dims = known_dims(*type.shape);
  if (!dims) return unsupported("output {} has open dimensions", index);
  return *std::move(dims);
}

Value* Importer::int_list(const std::vector<int64_t>& values) {
  return constant(
      Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, std::span<const int64_t>(values)));
}

Value* Importer::scalar_like(const Value* value, double number) {
  const auto narrow = static_cast<float>(number);
  return constant(value->type.dtype == DType::kFloat16 ? Tensor::scalar(Half(narrow))
                                                       : Tensor::scalar(narrow));
}

Value* Importer::add(std::string op, std::vector<Value*> inputs, DType dtype,
                     Attributes attributes) {
  const std::string base = operation_ == nullptr || operation_->outputs.empty()
                               ? std::string("output")
                               : operation_->outputs[0].name;
  std::string name = base + "/" + op;
  Node* node = model_.graph->add_node(std::move(op), std::move(inputs), {std::move(name)},
                                      std::move(attributes));
  node->outputs[0]->type = ValueType::tensor(dtype);
  return node->outputs[0];
}

Value* Importer::cast(Value* value, DType to) {
  if (value->type.dtype == to) return value;
  Attributes attributes;
  attributes.set("to", static_cast<int64_t>(to));
  return add("Cast", {value}, to, std::move(attributes));
}

Status Importer::finish(Value* value, size_t index) {
  EDGEWRIGHT_ASSIGN(const ValueType type, output_type(index));
  const std::string& name = operation_->outputs[index].name;
  if (values_.contains(name) || constants_.contains(name)) {
    return bad_input("'{}' is made twice", name);
  }
  if (value->producer != nullptr) {
    value->type = type;
    if (model_.graph->find_value(name) == nullptr) model_.graph->rename(value, name);
  }
  values_[name] = value;
  return {};
}

// A constant stands in the program as an operation whose attribute `val` it is.
Status Importer::read_constant(const Operation& operation) {
  const auto value = operation.attributes.find("val");
  if (operation.outputs.size() != 1 || value == operation.attributes.end()) {
    return bad_input("a constant without a name or a value");
  }
  const NamedType& output = operation.outputs[0];
  if (value->second.dtype() != output.type.dtype ||
      known_dims(*output.type.shape) != value->second.dims()) {
    return bad_input("'{}' is declared {}, its value is {}", output.name, type_text(output.type),
                     type_text(ValueType::of(value->second)));
  }
  const bool is_fresh = constants_.emplace(output.name, value->second).second;
  if (!is_fresh || values_.contains(output.name)) {
    return bad_input("'{}' is made twice", output.name);
  }
  return {};
}

Status Importer::read_operation(const Operation& operation) {
  operation_ = &operation;
  if (operation.has_blocks) return bad_input("found blocks in an operation that has none");
  return operation.type == "const" ? read_constant(operation) : find_reader(operation.type)(*this);
}

Status Importer::read_outputs() {
  operation_ = nullptr;
  for (const std::string& name : program_.outputs) {
    Argument argument;
    argument.name = name;
    EDGEWRIGHT_ASSIGN(Value * value, value_of(argument));
    // Two outputs of one value, an input or a constant given back: each needs a value of its own.
    if (value->producer == nullptr || value->is_graph_output()) {
      const ValueType type = value->type;
      value = add("Identity", {value}, type.dtype);
      value->type = type;
    }
    model_.graph->add_output(value);
  }
  return {};
}

Result<Model> Importer::run() {
  model_.graph->name = "main";
  model_.producer_name = "Core ML";
  EDGEWRIGHT_TRY(check_operations(program_));
  for (const NamedType& input : program_.inputs) {
    if (values_.contains(input.name)) return bad_input("two inputs are called '{}'", input.name);
    values_[input.name] = model_.graph->add_input(input.name, input.type);
  }
  for (const Operation& operation : program_.operations) {
    Status status = read_operation(operation);
    if (!status.ok()) {
      const std::string name =
          operation.outputs.empty() ? std::string() : operation.outputs[0].name;
      return std::move(status).error().at(fmt::format("'{}' ({})", name, operation.type));
    }
  }
  EDGEWRIGHT_TRY(read_outputs());
  return std::move(model_);
}

}  // namespace edgewright::coreml
