#include "graph/text_scanner.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "tensor/element.h"

namespace edgewright {
namespace {

constexpr int kMaxTypeDepth = 16;

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '/';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_number_char(char c) { return is_word_char(c) || c == '-' || c == '+'; }

template <class T>
bool parse_number(std::string_view text, T& value) {
  if (!text.empty() && text[0] == '+') return false;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size();
}

bool store_number(std::string_view text, DType dtype, Tensor& tensor, int64_t index) {
  if (dtype == DType::kFloat32) return parse_number(text, tensor.mutable_data<float>()[index]);
  if (dtype == DType::kFloat64) return parse_number(text, tensor.mutable_data<double>()[index]);
  if (dtype == DType::kUint64) return parse_number(text, tensor.mutable_data<uint64_t>()[index]);
  int64_t value = 0;
  if (!parse_number(text, value)) return false;
  const int bits = dtype_bits(dtype);
  if (bits < 8) {
    packed_set(tensor.mutable_bytes(), index, bits, static_cast<uint8_t>(value));
  } else {
    const auto bytes = static_cast<size_t>(bits / 8);  // little-endian, as the file formats are
    std::memcpy(tensor.mutable_bytes() + static_cast<size_t>(index) * bytes, &value, bytes);
  }
  return load_int64(dtype, tensor.bytes(), index) == value;
}

}  // namespace

void TextScanner::skip_space() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == '#') {
      position_ = std::min(text_.find('\n', position_), text_.size());
    } else if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      ++position_;
    } else {
      return;
    }
  }
}

void TextScanner::advance(size_t count) {
  last_ = position_;
  position_ += count;
  skip_space();
}

Error TextScanner::error_at(size_t position, std::string_view expected) const {
  const std::string_view before = text_.substr(0, position);
  const auto line = std::ranges::count(before, '\n') + 1;
  const size_t start = before.rfind('\n');
  const size_t column = start == std::string_view::npos ? position + 1 : position - start;
  return bad_input("line {}, column {}: found '{}', expected {}", line, column,
                   text_.substr(std::min(position, text_.size()), 20), expected);
}

std::string_view TextScanner::word() const {
  size_t end = position_;
  while (end < text_.size() && is_word_char(text_[end])) ++end;
  return text_.substr(position_, end - position_);
}

std::string_view TextScanner::number_text() const {
  size_t end = position_;
  while (end < text_.size() && is_number_char(text_[end])) ++end;
  return text_.substr(position_, end - position_);
}

bool TextScanner::at_word(std::string_view expected) const { return word() == expected; }

bool TextScanner::accept_word(std::string_view expected) {
  if (!at_word(expected)) return false;
  advance(expected.size());
  return true;
}

bool TextScanner::accept(std::string_view punctuation) {
  if (text_.substr(position_, punctuation.size()) != punctuation) return false;
  if (punctuation == ":" && text_.substr(position_, 2) == "::") return false;
  advance(punctuation.size());
  return true;
}

Status TextScanner::expect(std::string_view punctuation) {
  if (accept(punctuation)) return {};
  return error(fmt::format("'{}'", punctuation));
}

Result<std::string> TextScanner::string() {
  if (peek() != '"') return error("a quoted string");
  std::string out;
  size_t i = position_ + 1;
  for (; i < text_.size() && text_[i] != '"'; ++i) {
    if (text_[i] != '\\') {
      out += text_[i];
      continue;
    }
    const char kind = ++i < text_.size() ? text_[i] : '\0';
    if (kind == 'x' && i + 2 < text_.size() && hex_digit(text_[i + 1]) >= 0 &&
        hex_digit(text_[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text_[i + 1]) * 16 + hex_digit(text_[i + 2]));
      i += 2;
    } else if (kind == 'n' || kind == 't') {
      out += kind == 'n' ? '\n' : '\t';
    } else if (kind == '"' || kind == '\\') {
      out += kind;
    } else {
      return error("an escape of \\\" \\\\ \\n \\t \\xNN inside the string");
    }
  }
  if (i >= text_.size()) return error("a closing quote");
  advance(i + 1 - position_);
  return out;
}

Result<std::string> TextScanner::hexadecimal() {
  const size_t begin = position_ + 2;
  const size_t end = text_.find('"', begin);
  if (end == std::string_view::npos || (end - begin) % 2 != 0) return error("x\"...\" in pairs");
  std::string out((end - begin) / 2, '\0');
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = hex_digit(text_[begin + 2 * i]);
    const int low = hex_digit(text_[begin + 2 * i + 1]);
    if (high < 0 || low < 0) return error("hexadecimal digits");
    out[i] = static_cast<char>(high * 16 + low);
  }
  advance(end + 1 - position_);
  return out;
}

Result<std::string> TextScanner::symbol() {
  if (peek() == '"') return string();
  const std::string_view name = word();
  if (name.empty()) return error("a name");
  advance(name.size());
  return std::string(name);
}

Result<std::string> TextScanner::value_name() {
  if (peek() != '%') return error("a value name such as %x");
  ++position_;
  if (peek() == '"') return string();
  const std::string_view name = word();
  advance(name.size());
  return std::string(name);
}

Result<int64_t> TextScanner::integer() {
  const std::string_view text = number_text();
  int64_t value = 0;
  if (!parse_number(text, value)) return error("an integer");
  advance(text.size());
  return value;
}

Result<Shape> TextScanner::shape_dims() {
  Shape shape;
  while (!accept("]")) {
    if (accept("?")) {
      shape.emplace_back();
    } else if (peek() >= '0' && peek() <= '9') {
      EDGEWRIGHT_ASSIGN(const int64_t dim, integer());
      shape.emplace_back(dim);
    } else {
      EDGEWRIGHT_ASSIGN(std::string name, symbol());
      Dim dim;
      dim.symbol = std::move(name);
      shape.push_back(std::move(dim));
    }
    if (accept(",")) continue;
    EDGEWRIGHT_TRY(expect("]"));
    break;
  }
  return shape;
}

Result<ValueType> TextScanner::type() {
  if (accept("?")) return ValueType();
  if (++type_depth_ > kMaxTypeDepth) return error("a type nested at most 16 deep");
  auto result = wrapped_type();
  --type_depth_;
  return result;
}

Result<ValueType> TextScanner::wrapped_type() {
  static constexpr std::pair<std::string_view, ValueType::Kind> kWrappers[] = {
      {"sequence", ValueType::Kind::kSequence},
      {"optional", ValueType::Kind::kOptional},
      {"sparse", ValueType::Kind::kSparseTensor},
      {"map", ValueType::Kind::kMap},
  };
  if (accept_word("opaque")) {
    ValueType opaque;
    opaque.kind = ValueType::Kind::kOpaque;
    return opaque;
  }
  for (const auto& [name, kind] : kWrappers) {
    if (!accept_word(name)) continue;
    EDGEWRIGHT_TRY(expect("("));
    ValueType wrapper;
    wrapper.kind = kind;
    if (kind == ValueType::Kind::kMap) {
      wrapper.dtype = dtype_from_name(word()).value_or(DType::kUndefined);
      advance(word().size());
      EDGEWRIGHT_TRY(expect(","));
    }
    EDGEWRIGHT_ASSIGN(ValueType element, type());
    EDGEWRIGHT_TRY(expect(")"));
    if (kind == ValueType::Kind::kSparseTensor) {
      element.kind = kind;
      return element;
    }
    if (element.kind != ValueType::Kind::kUnknown) {
      wrapper.element = std::make_shared<const ValueType>(std::move(element));
    }
    return wrapper;
  }
  const auto dtype = word() == "undefined" ? DType::kUndefined : dtype_from_name(word());
  if (!dtype) return error("a type such as float32[1,3]");
  advance(word().size());
  EDGEWRIGHT_TRY(expect("["));
  if (accept("*")) {
    EDGEWRIGHT_TRY(expect("]"));
    return ValueType::tensor(*dtype);
  }
  EDGEWRIGHT_ASSIGN(Shape shape, shape_dims());
  return ValueType::tensor(*dtype, std::move(shape));
}

Result<Tensor> TextScanner::tensor_elements(const ValueType& type) {
  const auto dims = type.shape ? known_dims(*type.shape) : std::nullopt;
  if (!type.is_tensor() || !dims) return error("a constant of a type with known dimensions");
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(*dims));
  if (at_hexadecimal()) {
    if (dtype_bits(type.dtype) == 0) return error("string elements");
    EDGEWRIGHT_ASSIGN(const std::string bytes, hexadecimal());
    if (bytes.size() != dtype_bytes(type.dtype, static_cast<size_t>(count))) {
      return error(
          fmt::format("{} bytes before this", dtype_bytes(type.dtype, static_cast<size_t>(count))));
    }
    EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(type.dtype, *dims));
    if (!bytes.empty()) std::memcpy(tensor.mutable_bytes(), bytes.data(), bytes.size());
    return tensor;
  }
  // Every element takes at least one character, which bounds what hostile text can ask for.
  if (count > std::ssize(text_)) return error("as many elements as the type says");
  EDGEWRIGHT_TRY(expect("{"));
  return type.dtype == DType::kString ? string_elements(*dims) : number_elements(type.dtype, *dims);
}

Result<Tensor> TextScanner::string_elements(Dims dims) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(DType::kString, std::move(dims)));
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    if (i > 0) EDGEWRIGHT_TRY(expect(","));
    EDGEWRIGHT_ASSIGN(tensor.mutable_string_elements()[static_cast<size_t>(i)], string());
  }
  EDGEWRIGHT_TRY(expect("}"));
  return tensor;
}

Result<Tensor> TextScanner::number_elements(DType dtype, Dims dims) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(dtype, std::move(dims)));
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    if (i > 0) EDGEWRIGHT_TRY(expect(","));
    const std::string_view text = number_text();
    if (!store_number(text, dtype, tensor, i)) {
      return error(fmt::format("a {} number", dtype_name(dtype)));
    }
    advance(text.size());
  }
  EDGEWRIGHT_TRY(expect("}"));
  return tensor;
}

Result<AttributeValue> TextScanner::number_attribute() {
  const std::string_view text = number_text();
  int64_t integer = 0;
  float real = 0;
  if (parse_number(text, integer)) {
    advance(text.size());
    return AttributeValue(integer);
  }
  if (!parse_number(text, real)) return error("an attribute value");
  advance(text.size());
  return AttributeValue(real);
}

Result<AttributeValue> TextScanner::opaque_attribute() {
  OpaqueAttribute opaque;
  EDGEWRIGHT_TRY(expect("("));
  EDGEWRIGHT_ASSIGN(const int64_t kind, integer());
  opaque.kind = static_cast<int>(kind);
  while (accept(",")) {
    if (!at_hexadecimal()) return error("x\"...\"");
    EDGEWRIGHT_ASSIGN(std::string message, hexadecimal());
    opaque.messages.push_back(std::move(message));
  }
  EDGEWRIGHT_TRY(expect(")"));
  return AttributeValue(std::move(opaque));
}

Result<AttributeValue> TextScanner::tensor_attribute() {
  EDGEWRIGHT_ASSIGN(const ValueType tensor_type, type());
  EDGEWRIGHT_ASSIGN(Tensor tensor, tensor_elements(tensor_type));
  return AttributeValue(std::move(tensor));
}

bool TextScanner::at_type_with_elements() const { return dtype_from_name(word()).has_value(); }

Result<AttributeValue> TextScanner::empty_list_attribute() {
  EDGEWRIGHT_ASSIGN(const std::string kind, symbol());
  EDGEWRIGHT_TRY(expect("["));
  EDGEWRIGHT_TRY(expect("]"));
  if (kind == "ints") return AttributeValue(std::vector<int64_t>());
  if (kind == "floats") return AttributeValue(std::vector<float>());
  if (kind == "strings") return AttributeValue(std::vector<std::string>());
  return AttributeValue(std::vector<Tensor>());
}

Result<AttributeValue> TextScanner::list_attribute() {
  AttributeValue list;
  bool first = true;
  const auto append = [&]<class T>(T item) {
    if (first) list = std::vector<T>();
    first = false;
    auto* items = std::get_if<std::vector<T>>(&list);
    if (items != nullptr) items->push_back(std::move(item));
    return items != nullptr;
  };
  do {
    EDGEWRIGHT_ASSIGN(AttributeValue item, attribute());
    bool fits = false;
    if (auto* i = std::get_if<int64_t>(&item)) fits = append(*i);
    if (auto* f = std::get_if<float>(&item)) fits = append(*f);
    if (auto* s = std::get_if<std::string>(&item)) fits = append(std::move(*s));
    if (auto* t = std::get_if<Tensor>(&item)) fits = append(std::move(*t));
    if (!fits) return error("a list of one kind");
  } while (accept(","));
  EDGEWRIGHT_TRY(expect("]"));
  return list;
}

Result<AttributeValue> TextScanner::attribute() {
  if (++type_depth_ > kMaxTypeDepth) return error("an attribute nested at most 16 deep");
  auto value = [&]() -> Result<AttributeValue> {
    if (peek() == '"') {
      EDGEWRIGHT_ASSIGN(std::string text, string());
      return AttributeValue(std::move(text));
    }
    if (accept("[")) return list_attribute();
    if (accept_word("opaque")) return opaque_attribute();
    if (at_word("ints") || at_word("floats") || at_word("strings") || at_word("tensors")) {
      return empty_list_attribute();
    }
    if (at_type_with_elements()) return tensor_attribute();
    return number_attribute();
  }();
  --type_depth_;
  return value;
}

}  // namespace edgewright
