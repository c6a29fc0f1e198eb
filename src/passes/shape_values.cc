#include "passes/shape_values.h"

#include <algorithm>

#include "passes/rewrite.h"

namespace edgewright {
namespace {

constexpr int64_t kMaxElements = 64;
constexpr int kMaxDepth = 200;

ShapeElement number(int64_t value) {
  ShapeElement element;
  element.number = value;
  return element;
}

std::optional<ShapeElements> numbers(const Tensor& tensor) {
  if (tensor.rank() > 1 || tensor.element_count() > kMaxElements) return std::nullopt;
  if (!is_integer(tensor.dtype()) && tensor.dtype() != DType::kBool) return std::nullopt;
  const auto values = tensor.to_int64s();
  if (!values.ok()) return std::nullopt;
  ShapeElements elements;
  for (const int64_t value : *values) elements.push_back(number(value));
  return elements;
}

// Where an axis comes from: one step towards the value that first had it; false at the end.
bool step_back(const Value*& value, size_t& axis) {
  const Node* node = value->producer;
  if (node == nullptr || node->domain != "" || value->output_index != 0) return false;
  const Value* input = node->input(0);
  const auto rank = rank_of(input);
  if (!rank) return false;
  constexpr std::string_view kKeepShape[] = {
      "Cast",    "Erf",     "Gelu", "LayerNormalization", "RMSNormalization", "Relu",
      "Sigmoid", "Softmax", "Tanh"};
  if (node->op == "Transpose") {
    if (axis >= *rank) return false;
    axis = static_cast<size_t>(permutation_of(*node, *rank)[axis]);
  } else if (node->op == "Reshape") {
    const auto target = int_constant(node->input(1));
    if (!target || axis >= target->size() || (*target)[axis] != 0 || axis >= *rank ||
        node->attributes.get_int("allowzero", 0) != 0) {
      return false;
    }
  } else if (std::ranges::find(kKeepShape, node->op) == std::end(kKeepShape)) {
    return false;
  }
  value = input;
  return true;
}

ShapeElement dimension(const Value& value, size_t axis) {
  const Value* source = &value;
  ShapeElement element;
  for (int step = 0; step < kMaxDepth; ++step) {
    if (rank_of(source).value_or(0) <= axis) break;
    const Dim& dim = (*source->type.shape)[axis];
    if (dim.is_known()) return number(dim.value);
    if (!dim.symbol.empty()) element.symbol = dim.symbol;
    element.source = source;
    element.axis = axis;
    if (!step_back(source, axis)) break;
  }
  return element;
}

std::optional<ShapeElements> shape_of(const Node& node) {
  const Value* value = node.input(0);
  const auto rank = rank_of(value);
  if (!rank) return std::nullopt;
  const auto limit = static_cast<int64_t>(*rank);
  const auto clamp = [&](int64_t i) {
    return std::clamp<int64_t>(i < 0 ? i + limit : i, 0, limit);
  };
  const int64_t start = clamp(node.attributes.get_int("start", 0));
  const int64_t end = clamp(node.attributes.get_int("end", limit));
  ShapeElements elements;
  for (int64_t i = start; i < end; ++i)
    elements.push_back(dimension(*value, static_cast<size_t>(i)));
  return elements;
}

std::optional<ShapeElements> size_of(const Node& node) {
  const auto dims = static_dims(node.input(0));
  if (!dims) return std::nullopt;
  const auto count = checked_element_count(*dims);
  if (!count.ok()) return std::nullopt;
  return ShapeElements{number(*count)};
}

std::optional<int64_t> apply(std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "Add")
    return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(result);
  if (op == "Sub")
    return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(result);
  if (op == "Mul")
    return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(result);
  if (op == "Div") return b == 0 || b == -1 ? std::nullopt : std::optional(a / b);
  if (op == "Max") return std::max(a, b);
  if (op == "Min") return std::min(a, b);
  if (op == "Equal") return a == b ? 1 : 0;
  if (op == "Less") return a < b ? 1 : 0;
  if (op == "Greater") return a > b ? 1 : 0;
  if (op == "LessOrEqual") return a <= b ? 1 : 0;
  if (op == "GreaterOrEqual") return a >= b ? 1 : 0;
  return std::nullopt;
}

bool is_arithmetic(const Node& node) {
  constexpr std::string_view kOps[] = {"Add",     "Sub",         "Mul",           "Div",
                                       "Max",     "Min",         "Equal",         "Less",
                                       "Greater", "LessOrEqual", "GreaterOrEqual"};
  return std::ranges::find(kOps, node.op) != std::end(kOps) && node.inputs.size() == 2;
}

// A dimension is not negative: enough to decide comparisons with numbers below zero.
ShapeElement combine(std::string_view op, const ShapeElement& a, const ShapeElement& b) {
  if (a.number && b.number) {
    const auto result = apply(op, *a.number, *b.number);
    return result ? number(*result) : ShapeElement{};
  }
  if (op == "Mul" && (a.number == 0 || b.number == 0)) return number(0);
  if ((op == "Mul" && a.number == 1) || (op == "Add" && a.number == 0)) return b;
  if ((op == "Mul" || op == "Div") && b.number == 1) return a;
  if ((op == "Add" || op == "Sub") && b.number == 0) return a;
  if (op == "Sub" && a.equals(b)) return number(0);
  if (op == "Equal" && a.equals(b)) return number(1);
  const bool dimension_a = a.source != nullptr, dimension_b = b.source != nullptr;
  if (op == "Equal" &&
      ((dimension_a && b.number && *b.number < 0) || (dimension_b && a.number && *a.number < 0))) {
    return number(0);
  }
  if (op == "Max" && dimension_a && b.number && *b.number <= 0) return a;
  return {};
}

}  // namespace

bool ShapeElement::equals(const ShapeElement& other) const {
  if (number || other.number) return number == other.number;
  if (!symbol.empty() && symbol == other.symbol) return true;
  return source != nullptr && source == other.source && axis == other.axis;
}

std::optional<ShapeElement> axis_length(const Value* value, size_t axis) {
  if (rank_of(value).value_or(0) <= axis) return std::nullopt;
  return dimension(*value, axis);
}

const ShapeElements* ShapeValues::find(const Value* value) { return find(value, 0); }

const ShapeElements* ShapeValues::find(const Value* value, int depth) {
  if (value == nullptr || depth > kMaxDepth) return nullptr;
  auto it = known_.find(value);
  if (it == known_.end()) it = known_.emplace(value, reckon(*value, depth)).first;
  return it->second ? &*it->second : nullptr;
}

std::optional<ShapeElements> ShapeValues::reckon(const Value& value, int depth) {
  if (value.is_constant()) return numbers(*value.constant);
  if (value.producer == nullptr || value.output_index != 0) return std::nullopt;
  if (const auto rank = rank_of(&value); !rank || *rank > 1) return std::nullopt;
  return reckon_node(*value.producer, depth + 1);
}

std::optional<ShapeElements> ShapeValues::reckon_node(const Node& node, int depth) {
  if (node.domain != "") return std::nullopt;
  if (node.op == "Shape") return shape_of(node);
  if (node.op == "Size") return size_of(node);
  if (node.op == "Gather") return gather(node, depth);
  if (node.op == "Slice") return slice(node, depth);
  if (node.op == "Concat") return concat(node, depth);
  if (node.op == "Where") return where(node, depth);
  if (is_arithmetic(node)) return arithmetic(node, depth);
  const bool passes_on = node.op == "Unsqueeze" || node.op == "Squeeze" || node.op == "Identity" ||
                         node.op == "Reshape" || node.op == "Cast";
  if (!passes_on) return std::nullopt;
  const DType dtype = dtype_of(node.output(0));
  if (node.op == "Cast" && dtype != DType::kInt64 && dtype != DType::kInt32) return std::nullopt;
  const ShapeElements* input = find(node.input(0), depth);
  return input == nullptr ? std::nullopt : std::optional(*input);
}

std::optional<ShapeElements> ShapeValues::gather(const Node& node, int depth) {
  const ShapeElements* data = find(node.input(0), depth);
  const auto indices = int_constant(node.input(1));
  if (data == nullptr || !indices || rank_of(node.input(0)) != 1) return std::nullopt;
  ShapeElements elements;
  const auto size = static_cast<int64_t>(data->size());
  for (const int64_t index : *indices) {
    if (index < -size || index >= size) return std::nullopt;
    elements.push_back((*data)[static_cast<size_t>(index < 0 ? index + size : index)]);
  }
  return elements;
}

std::optional<ShapeElements> ShapeValues::slice(const Node& node, int depth) {
  const ShapeElements* data = find(node.input(0), depth);
  const auto starts = int_constant(node.input(1)), ends = int_constant(node.input(2));
  if (data == nullptr || !starts || !ends || starts->size() != 1 || ends->size() != 1) {
    return std::nullopt;
  }
  if (node.input(4) != nullptr && int_constant(node.input(4)) != std::vector<int64_t>{1}) {
    return std::nullopt;
  }
  const auto size = static_cast<int64_t>(data->size());
  const auto clamp = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  const int64_t first = clamp((*starts)[0]), last = clamp((*ends)[0]);
  if (first >= last) return ShapeElements{};
  return ShapeElements(data->begin() + first, data->begin() + last);
}

std::optional<ShapeElements> ShapeValues::concat(const Node& node, int depth) {
  ShapeElements elements;
  for (const Value* input : node.inputs) {
    const ShapeElements* part = find(input, depth);
    if (part != nullptr) {
      elements.insert(elements.end(), part->begin(), part->end());
    } else {
      // Elements of which only the number is known.
      const auto dims = static_dims(input);
      if (!dims || dims->size() != 1 || (*dims)[0] > kMaxElements) return std::nullopt;
      elements.resize(elements.size() + static_cast<size_t>((*dims)[0]));
    }
    if (elements.size() > static_cast<size_t>(kMaxElements)) return std::nullopt;
  }
  return elements;
}

std::optional<ShapeElements> ShapeValues::arithmetic(const Node& node, int depth) {
  const ShapeElements* a = find(node.input(0), depth);
  const ShapeElements* b = find(node.input(1), depth);
  if (a == nullptr || b == nullptr) return std::nullopt;
  const size_t size = a->size() == 1 ? b->size() : a->size();
  if ((a->size() != size && a->size() != 1) || (b->size() != size && b->size() != 1)) {
    return std::nullopt;
  }
  ShapeElements elements;
  for (size_t i = 0; i < size; ++i) {
    elements.push_back(
        combine(node.op, (*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]));
  }
  return elements;
}

std::optional<ShapeElements> ShapeValues::where(const Node& node, int depth) {
  const ShapeElements* condition = find(node.input(0), depth);
  const ShapeElements* yes = find(node.input(1), depth);
  const ShapeElements* no = find(node.input(2), depth);
  if (condition == nullptr || yes == nullptr || no == nullptr) return std::nullopt;
  if (yes->size() != condition->size() || no->size() != condition->size()) return std::nullopt;
  ShapeElements elements;
  for (size_t i = 0; i < condition->size(); ++i) {
    const auto& chosen = (*condition)[i].number;
    elements.push_back(!chosen ? ShapeElement{} : *chosen != 0 ? (*yes)[i] : (*no)[i]);
  }
  return elements;
}

}  // namespace edgewright
