#include "api/engine.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "api/export_formats.h"
#include "base/file.h"
#include "formats/npy/npy.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/schema_functions.h"
#include "graph/text.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

Result<std::vector<double>> parse_numbers(std::string_view text) {
  std::vector<double> numbers;
  while (true) {
    const std::string_view item = text.substr(0, text.find(','));
    double value = 0;
    if (item == "true" || item == "false") {
      value = item == "true" ? 1 : 0;
    } else {
      const auto [end, code] = std::from_chars(item.data(), item.data() + item.size(), value);
      if (code != std::errc() || end != item.data() + item.size()) {
        return usage_error("found '{}', expected a number", item);
      }
    }
    numbers.push_back(value);
    if (item.size() == text.size()) return numbers;
    text.remove_prefix(item.size() + 1);
  }
}

void store_number(Tensor& tensor, int64_t index, double number) {
  const auto integer = static_cast<int64_t>(number);
  const auto single = static_cast<float>(number);
  const auto half = Half(single);
  const void* bytes = &integer;
  if (tensor.dtype() == DType::kFloat32) bytes = &single;
  if (tensor.dtype() == DType::kFloat64) bytes = &number;
  if (tensor.dtype() == DType::kFloat16) bytes = &half;
  const auto item = static_cast<size_t>(dtype_bits(tensor.dtype()) / 8);
  std::memcpy(tensor.mutable_bytes() + static_cast<size_t>(index) * item, bytes, item);
}

Result<Tensor> tensor_from_numbers(const ValueType& type, const std::vector<double>& numbers) {
  const auto count = static_cast<int64_t>(numbers.size());
  auto dims = type.shape ? known_dims(*type.shape) : std::nullopt;
  // One number fills a known shape; a list needs a shape of that many elements, or is a vector.
  if (!dims) dims = type.shape && type.shape->empty() ? Dims{} : Dims{count};
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(type.dtype, *dims));
  if (count != 1 && count != tensor.element_count()) {
    return usage_error("{} numbers for a value of type {}", count, type_text(type));
  }
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    const double number = numbers[static_cast<size_t>(count == 1 ? 0 : i)];
    store_number(tensor, i, number);
    if (!is_floating_point(type.dtype) && load_double(type.dtype, tensor.bytes(), i) != number) {
      return usage_error("{} does not fit {}", number, dtype_name(type.dtype));
    }
  }
  return tensor;
}

bool takes_numbers(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 ||
         dtype == DType::kBool || (is_integer(dtype) && dtype_bits(dtype) >= 8);
}

Result<Tensor> fixed_value(const Value& input, const std::string& text) {
  if (text.starts_with('@')) return read_npy(text.substr(1));
  if (!takes_numbers(input.type.dtype)) {
    return usage_error("input '{}' has type {}; give its value as @FILE.npy", input.name,
                       type_text(input.type));
  }
  EDGEWRIGHT_ASSIGN(const auto numbers, parse_numbers(text));
  return tensor_from_numbers(input.type, numbers);
}

}  // namespace

Result<Model> load_model(const std::string& path, bool keep_initializer_inputs) {
  if (path.ends_with(".txt")) {
    EDGEWRIGHT_ASSIGN(const std::string text, read_file(path));
    auto model = parse_model(text);
    if (!model.ok()) return std::move(model).error().at(path);
    return model;
  }
  // A package is a folder; completion of the shell leaves a stroke behind its name.
  const std::string name = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  if (const ExportFormat* format = find_import_format(name)) return format->read(name);
  ImportOptions options;
  options.keep_initializer_inputs = keep_initializer_inputs;
  return import_onnx(path, options);
}

FunctionExpander function_expander() { return expand_function; }

Status fix_inputs(Graph& graph, const std::map<std::string, std::string>& fixes) {
  for (const auto& [name, text] : fixes) {
    const auto& inputs = graph.inputs();
    const auto it = std::ranges::find(inputs, name, [](const Value* v) { return v->name; });
    if (it == inputs.end()) return usage_error("--fix names '{}', which is no input", name);
    Value* input = *it;
    EDGEWRIGHT_ASSIGN(Tensor tensor, fixed_value(*input, text));
    if (tensor.dtype() != input->type.dtype) {
      return usage_error("--fix gives '{}' a {} value, its type is {}", name,
                         dtype_name(tensor.dtype()), type_text(input->type));
    }
    graph.make_constant(input, std::move(tensor));
  }
  return {};
}

InterfaceValue interface_of(const std::string& name, const ValueType& type) {
  InterfaceValue value{name, "", false, {}};
  value.dtype = type.is_tensor() ? std::string(dtype_name(type.dtype)) : type_text(type);
  value.has_shape = type.is_tensor() && type.shape.has_value();
  if (!value.has_shape) return value;
  for (const Dim& dim : *type.shape) {
    value.shape.push_back(dim.is_known()       ? fmt::format("{}", dim.value)
                          : dim.symbol.empty() ? "?"
                                               : dim.symbol);
  }
  return value;
}

}  // namespace edgewright
