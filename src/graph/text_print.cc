#include <cmath>

#include "base/quote.h"
#include "graph/text.h"

namespace edgewright {
namespace {

bool is_plain(std::string_view name, bool leading_digit) {
  if (name.empty() || (!leading_digit && name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '.' || c == '/';
    if (!fine) return false;
  }
  return true;
}

std::string value_name(const Value* value) {
  if (value == nullptr) return "_";
  return "%" + (is_plain(value->name, true) ? value->name : quoted(value->name));
}

std::string symbol(std::string_view name) {
  return is_plain(name, false) ? std::string(name) : quoted(name);
}

template <class T>
std::string float_text(T value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

class Printer {
 public:
  explicit Printer(const TextOptions& options) : options_(options) {}

  void graph(const Graph& graph, int indent) {
    out_ += fmt::format("graph %{}(", is_plain(graph.name, true) ? graph.name : quoted(graph.name));
    separated(graph.inputs(), [&](const Value* input) {
      out_ += fmt::format("{}: {}", value_name(input), type_text(input->type));
      if (input->is_constant()) out_ += " = " + tensor_elements(*input->constant);
    });
    out_ += ") -> (";
    separated(graph.outputs(), [&](const Value* output) { out_ += value_name(output); });
    out_ += ") {\n";
    for (const Value& value : graph.values()) {
      if (value.is_constant() && !value.is_graph_input()) constant(value, indent + 2);
    }
    for (const Node& item : graph.nodes()) node(item, indent + 2);
    out_ += std::string(static_cast<size_t>(indent), ' ') + "}";
  }

  std::string take() { return std::move(out_); }
  void add(std::string_view text) { out_ += text; }

 private:
  template <class Range, class Each>
  void separated(const Range& range, Each each) {
    bool first = true;
    for (const auto& item : range) {
      if (!first) out_ += ", ";
      first = false;
      each(item);
    }
  }

  void constant(const Value& value, int indent) {
    out_ +=
        fmt::format("{:{}}{}: {} = {}\n", "", indent, value_name(&value),
                    type_text(ValueType::of(*value.constant)), tensor_elements(*value.constant));
  }

  void node(const Node& node, int indent) {
    out_ += fmt::format("{:{}}", "", indent);
    separated(node.outputs, [&](const Value* output) {
      out_ += value_name(output);
      if (output != nullptr) out_ += ": " + type_text(output->type);
    });
    out_ += node.outputs.empty() ? "= " : " = ";
    if (!node.domain.empty()) out_ += symbol(node.domain) + "::";
    out_ += symbol(node.op);
    if (!node.overload.empty()) out_ += ":" + symbol(node.overload);
    out_ += "(";
    separated(node.inputs, [&](const Value* input) { out_ += value_name(input); });
    out_ += ")";
    if (!node.attributes.empty() || !node.subgraphs.empty()) attributes(node, indent);
    if (!node.name.empty()) out_ += " " + quoted(node.name);
    out_ += "\n";
  }

  void attributes(const Node& node, int indent) {
    out_ += " {";
    separated(node.attributes, [&](const Attributes::Entry& entry) {
      out_ += symbol(entry.first) + "=";
      std::visit([&](const auto& value) { attribute(value); }, entry.second);
    });
    bool first = node.attributes.empty();
    for (const auto& [name, subgraph] : node.subgraphs) {
      if (!first) out_ += ", ";
      first = false;
      out_ += symbol(name) + "=";
      graph(*subgraph, indent);
    }
    out_ += "}";
  }

  void attribute(int64_t value) { out_ += fmt::format("{}", value); }
  void attribute(float value) { out_ += float_text(value); }
  void attribute(const std::string& value) { out_ += quoted(value); }
  void attribute(const Tensor& value) {
    out_ += type_text(ValueType::of(value)) + tensor_elements(value);
  }
  void attribute(const OpaqueAttribute& value) {
    out_ += fmt::format("opaque({}", value.kind);
    for (const std::string& message : value.messages) out_ += ", x\"" + hex(message) + "\"";
    out_ += ")";
  }
  template <class T>
  void attribute(const std::vector<T>& values) {
    if (values.empty()) {
      out_ += std::is_same_v<T, int64_t>  ? "ints"
              : std::is_same_v<T, float>  ? "floats"
              : std::is_same_v<T, Tensor> ? "tensors"
                                          : "strings";
    }
    out_ += "[";
    separated(values, [&](const T& value) { attribute(value); });
    out_ += "]";
  }

  std::string tensor_elements(const Tensor& tensor) {
    const DType dtype = tensor.dtype();
    const bool small = tensor.element_count() <= options_.inline_elements;
    std::vector<std::string> items;
    if (dtype == DType::kString) {
      for (const std::string& element : tensor.string_elements()) items.push_back(quoted(element));
    } else if (small && (is_integer(dtype) || dtype == DType::kBool)) {
      const auto values = tensor.to_int64s();
      for (const int64_t value : *values) {
        items.push_back(dtype == DType::kUint64 ? fmt::format("{}", static_cast<uint64_t>(value))
                                                : fmt::format("{}", value));
      }
    } else if (small && !float_items(tensor, items)) {
      return hexadecimal(tensor);
    } else if (!small && options_.elide_large_constants) {
      return fmt::format("<{} bytes>", tensor.size_bytes());
    } else if (!small) {
      return hexadecimal(tensor);
    }
    return fmt::format("{{{}}}", fmt::join(items, ", "));
  }

  // False when the numbers as text would not give the same bytes back.
  bool float_items(const Tensor& tensor, std::vector<std::string>& items) {
    if (tensor.dtype() != DType::kFloat32 && tensor.dtype() != DType::kFloat64) return false;
    const auto values = tensor.to_doubles();
    for (const double value : *values) {
      if (std::isnan(value)) return false;
      items.push_back(tensor.dtype() == DType::kFloat32 ? float_text(static_cast<float>(value))
                                                        : float_text(value));
    }
    return true;
  }

  std::string hexadecimal(const Tensor& tensor) {
    const auto bytes = tensor.byte_span();
    return "x\"" + hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) + "\"";
  }

  const TextOptions& options_;
  std::string out_;
};

}  // namespace

std::string print(const Graph& graph, const TextOptions& options) {
  Printer printer(options);
  printer.graph(graph, 0);
  return printer.take() + "\n";
}

std::string print(const Model& model, const TextOptions& options) {
  std::string out =
      fmt::format("model {{ir_version={}, opset={}", model.ir_version, model.source_opset);
  const auto add = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) out += fmt::format(", {}={}", key, quoted(value));
  };
  add("producer_name", model.producer_name);
  add("producer_version", model.producer_version);
  add("documentation", model.documentation);
  for (const auto& [domain, version] : model.domain_versions) {
    out += fmt::format(", domain {}={}", quoted(domain), version);
  }
  for (const auto& [key, value] : model.metadata) {
    out += fmt::format(", metadata {}={}", quoted(key), quoted(value));
  }
  return out + "}\n" + print(*model.graph, options);
}

}  // namespace edgewright
