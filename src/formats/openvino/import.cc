#include "formats/openvino/import.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "formats/openvino/names.h"
#include "formats/openvino/openvino.h"

namespace edgewright::openvino_ir {
namespace {

std::optional<int64_t> parse_integer(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

// "1,?,3" or "1,-1,3"; a range of sizes is open.
Shape parse_shape(std::string_view text) {
  Shape shape;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    const auto value = parse_integer(item);
    shape.push_back(value && *value >= 0 ? Dim(*value) : Dim());
    text = item.size() == text.size() ? std::string_view() : text.substr(item.size() + 1);
  }
  return shape;
}

constexpr std::string_view kResultSuffix = "/result";

Status read_unary(Importer& importer) {
  for (const NameRow& row : unary_names()) {
    if (row.type != importer.layer().type) continue;
    EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
    return importer.finish(std::string(row.op), {x});
  }
  EDGEWRIGHT_CHECK(false);
  return {};
}

Status read_binary(Importer& importer) {
  for (const NameRow& row : binary_names()) {
    if (row.type != importer.layer().type) continue;
    EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
    EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
    return importer.finish(std::string(row.op), {a, b});
  }
  EDGEWRIGHT_CHECK(false);
  return {};
}

Status read_reduction(Importer& importer) {
  for (const NameRow& row : reduction_names()) {
    if (row.type != importer.layer().type) continue;
    EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
    EDGEWRIGHT_ASSIGN(Value * axes, importer.input(1));
    Attributes attributes;
    attributes.set("keepdims", int64_t{importer.flag("keep_dims", false)});
    return importer.finish(std::string(row.op), {x, importer.as_int64(axes)},
                           std::move(attributes));
  }
  EDGEWRIGHT_CHECK(false);
  return {};
}

using ReadFunction = Status (*)(Importer&);
ReadFunction find_reader(std::string_view type) {
  for (const auto rows :
       {import_element_rows(), import_window_rows(), import_movement_rows(), import_other_rows()}) {
    const auto it = std::ranges::find(rows, type, &ImportRow::type);
    if (it != rows.end()) return it->read;
  }
  const auto named = [&](std::span<const NameRow> rows) {
    return std::ranges::find(rows, type, &NameRow::type) != rows.end();
  };
  if (named(unary_names())) return read_unary;
  if (named(binary_names())) return read_binary;
  if (named(reduction_names())) return read_reduction;
  return nullptr;
}

}  // namespace

Result<Value*> Importer::input(size_t index) const {
  if (index >= inputs()) {
    return bad_input("found {} inputs, expected at least {}", inputs(), index + 1);
  }
  const Endpoint from = layer_->inputs[index];
  const auto it = values_.find({from.layer, from.port});
  if (it == values_.end()) return unsupported("input {} is an output that nothing makes", index);
  return it->second;
}

Result<std::vector<Value*>> Importer::all_inputs() const {
  std::vector<Value*> values;
  for (size_t i = 0; i < inputs(); ++i) {
    EDGEWRIGHT_ASSIGN(Value * value, input(i));
    values.push_back(value);
  }
  return values;
}

Result<std::vector<int64_t>> Importer::constant_ints(size_t index) const {
  EDGEWRIGHT_ASSIGN(const Value* value, input(index));
  if (!value->is_constant()) return unsupported("input {} must be a constant here", index);
  return value->constant->to_int64s();
}

Value* Importer::as_int64(Value* value) {
  if (value->type.dtype == DType::kInt64) return value;
  if (value->is_constant()) {
    if (const auto values = value->constant->to_int64s(); values.ok()) {
      return constant(
          Tensor::of<int64_t>(value->constant->dims(), std::span<const int64_t>(*values)));
    }
  }
  Attributes attributes;
  attributes.set("to", static_cast<int64_t>(DType::kInt64));
  return add("Cast", {value}, std::move(attributes));
}

std::string Importer::text(std::string_view key, std::string_view otherwise) const {
  const std::string* value = layer_->find(key);
  return value == nullptr ? std::string(otherwise) : *value;
}

bool Importer::flag(std::string_view key, bool otherwise) const {
  const std::string* value = layer_->find(key);
  return value == nullptr ? otherwise : *value == "true" || *value == "1";
}

Result<int64_t> Importer::integer(std::string_view key, int64_t otherwise) const {
  const std::string* value = layer_->find(key);
  if (value == nullptr) return otherwise;
  const auto parsed = parse_integer(*value);
  if (!parsed) return bad_input("{}: found '{}', expected an integer", key, *value);
  return *parsed;
}

Result<float> Importer::number(std::string_view key, float otherwise) const {
  const std::string* value = layer_->find(key);
  if (value == nullptr) return otherwise;
  double parsed = 0;
  const auto [end, code] = std::from_chars(value->data(), value->data() + value->size(), parsed);
  if (code != std::errc() && code != std::errc::result_out_of_range) {
    return bad_input("{}: found '{}', expected a number", key, *value);
  }
  return static_cast<float>(parsed);
}

Result<std::vector<int64_t>> Importer::integers(std::string_view key) const {
  const std::string* value = layer_->find(key);
  std::vector<int64_t> result;
  if (value == nullptr || value->empty()) return result;
  std::string_view rest = *value;
  while (true) {
    const std::string_view item = rest.substr(0, rest.find(','));
    const auto parsed = parse_integer(item);
    if (!parsed) return bad_input("{}: found '{}', expected integers", key, *value);
    result.push_back(*parsed);
    if (item.size() == rest.size()) return result;
    rest.remove_prefix(item.size() + 1);
  }
}

Value* Importer::ints(const std::vector<int64_t>& values) {
  return constant(
      Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, std::span<const int64_t>(values)));
}

Value* Importer::scalar(double value, DType dtype) {
  if (dtype == DType::kFloat64) return constant(Tensor::scalar(value));
  if (dtype == DType::kFloat16) return constant(Tensor::scalar(Half(static_cast<float>(value))));
  return constant(Tensor::scalar(static_cast<float>(value)));
}

Value* Importer::add(std::string op, std::vector<Value*> inputs, Attributes attributes) {
  const std::string name = layer_->name + "/" + op;
  Node* node =
      model_.graph->add_node(std::move(op), std::move(inputs), {name}, std::move(attributes));
  return node->outputs[0];
}

Status Importer::finish(std::string op, std::vector<Value*> inputs, Attributes attributes) {
  if (layer_->outputs.empty()) return bad_input("found no output, expected one");
  std::vector<std::string> names;
  for (const Port& port : layer_->outputs) {
    names.push_back(port.names.empty() ? layer_->name + "/output" : port.names[0]);
  }
  Node* node = model_.graph->add_node(std::move(op), std::move(inputs), std::move(names),
                                      std::move(attributes));
  node->name = layer_->name;
  for (size_t i = 0; i < node->outputs.size(); ++i) {
    const Port& port = layer_->outputs[i];
    if (port.dtype != DType::kUndefined) {
      node->outputs[i]->type = ValueType::tensor(port.dtype, port.shape);
    }
    values_[{index_, i}] = node->outputs[i];
  }
  return {};
}

void Importer::give(size_t index, Value* value) { values_[{index_, index}] = value; }

void Importer::give_named(size_t index, Value* value) {
  give(index, value);
  if (index >= layer_->outputs.size()) return;
  const Port& port = layer_->outputs[index];
  if (port.dtype != DType::kUndefined) value->type = ValueType::tensor(port.dtype, port.shape);
  if (port.names.empty() || model_.graph->find_value(port.names[0]) != nullptr) return;
  model_.graph->rename(value, port.names[0]);
}

const Port& Importer::input_port(size_t index) const {
  const Endpoint from = layer_->inputs[index];
  return ir_.layers[from.layer].outputs[from.port];
}

Result<size_t> Importer::rank(size_t index) const {
  EDGEWRIGHT_TRY(input(index));
  const Port& port = input_port(index);
  if (!port.shape || port.shape->empty()) return unsupported("the rank of input {} is open", index);
  return port.shape->size();
}

Status Importer::add_parameter() {
  const auto dtype = element_dtype(text("element_type", ""));
  if (!dtype) return element_type_error(text("element_type", ""));
  if (layer_->outputs.empty()) return bad_input("found no output, expected one");
  const std::string shape = text("shape", "");
  ValueType type = ValueType::tensor(*dtype);
  if (shape.find("...") == std::string::npos) type.shape = parse_shape(shape);
  const Port& port = layer_->outputs[0];
  give(0, model_.graph->add_input(port.names.empty() ? layer_->name : port.names[0], type));
  return {};
}

// The output's name is one of those of the tensor that it gives. Two outputs of one value, or an
// input given back, need a value of their own.
Status Importer::add_result() {
  EDGEWRIGHT_ASSIGN(Value * value, input(0));
  std::string name = layer_->name;
  if (name.ends_with(kResultSuffix)) name.resize(name.size() - kResultSuffix.size());
  const auto& names = input_port(0).names;
  if (std::ranges::find(names, name) == names.end()) name = value->name;
  if (value->producer == nullptr || value->is_graph_output()) {
    value = add("Identity", {value});
    value->type = ValueType::tensor(input_port(0).dtype, input_port(0).shape);
  }
  if (value->name != name && model_.graph->find_value(name) == nullptr) {
    model_.graph->rename(value, name);
  }
  model_.graph->add_output(value);
  return {};
}

Status Importer::add_read() {
  if (layer_->outputs.empty()) return bad_input("found no output, expected one");
  const Port& port = layer_->outputs[0];
  give(0, model_.graph->add_input(layer_->name, ValueType::tensor(port.dtype, port.shape)));
  return {};
}

Status Importer::add_assign() {
  EDGEWRIGHT_ASSIGN(Value * value, input(0));
  Node* node = model_.graph->add_node("Identity", {value}, {layer_->name + "/assigned"});
  node->outputs[0]->type = value->type;
  model_.graph->add_output(node->outputs[0]);
  if (!layer_->outputs.empty()) give(0, node->outputs[0]);
  // The value that is assigned has the name when it was written here: the output takes it over.
  if (value->name == layer_->name && value->producer != nullptr && !value->is_graph_output()) {
    model_.graph->rename(value, layer_->name + "/value");
  }
  if (model_.graph->find_value(layer_->name) == nullptr) {
    model_.graph->rename(node->outputs[0], layer_->name);
  }
  return {};
}

Status Importer::read_layer(const Layer& layer) {
  if (layer.type == "Parameter") return add_parameter();
  if (layer.type == "Result") return add_result();
  if (layer.type == "ReadValue") return add_read();
  if (layer.type == "Assign") return add_assign();
  if (layer.type == "Const") {
    if (layer.outputs.empty()) return bad_input("found no output, expected one");
    give(0, model_.graph->add_constant(layer.name, *layer.constant));
    return {};
  }
  return find_reader(layer.type)(*this);
}

Result<Model> Importer::run() {
  model_.graph->name = ir_.name;
  model_.producer_name = "OpenVINO IR";
  std::set<std::string> missing, unknown;
  for (const Layer& layer : ir_.layers) {
    constexpr std::string_view kOwn[] = {"Parameter", "Result", "ReadValue", "Assign", "Const"};
    if (std::ranges::find(kOwn, layer.type) == std::end(kOwn) &&
        find_reader(layer.type) == nullptr) {
      (is_known_type(layer.type) ? missing : unknown).insert(layer.type);
    }
  }
  if (!unknown.empty()) {
    return bad_input("found layers of type '{}', which OpenVINO has not",
                     fmt::join(unknown, "', '"));
  }
  if (!missing.empty()) {
    return unsupported("no counterpart for layers of type {}", fmt::join(missing, ", "));
  }
  for (index_ = 0; index_ < ir_.layers.size(); ++index_) {
    layer_ = &ir_.layers[index_];
    Status status = read_layer(*layer_);
    if (!status.ok()) {
      return std::move(status).error().at(
          fmt::format("layer '{}' ({})", layer_->name, layer_->type));
    }
  }
  return std::move(model_);
}

}  // namespace edgewright::openvino_ir

namespace edgewright {

Result<Model> import_openvino(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const auto ir, openvino_ir::read_ir(path));
  auto model = openvino_ir::Importer(ir).run();
  if (!model.ok()) return std::move(model).error().at(path);
  return model;
}

}  // namespace edgewright
