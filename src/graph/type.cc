#include "graph/type.h"

#include <algorithm>
#include <cctype>

#include "base/quote.h"

namespace edgewright {
namespace {

std::string dim_text(const Dim& dim) {
  if (dim.is_known()) return fmt::format("{}", dim.value);
  if (dim.symbol.empty()) return "?";
  const bool plain = std::isalpha(static_cast<unsigned char>(dim.symbol[0])) != 0 &&
                     std::ranges::all_of(dim.symbol, [](unsigned char c) {
                       return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '/';
                     });
  return plain ? dim.symbol : quoted(dim.symbol);
}

}  // namespace

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ',';
    text += dim_text(shape[i]);
  }
  return text + "]";
}

std::optional<Dims> known_dims(const Shape& shape) {
  Dims dims;
  for (const Dim& dim : shape) {
    if (!dim.is_known()) return std::nullopt;
    dims.push_back(dim.value);
  }
  return dims;
}

Shape to_shape(const Dims& dims) { return Shape(dims.begin(), dims.end()); }

ValueType ValueType::tensor(DType dtype, std::optional<Shape> shape) {
  ValueType type;
  type.kind = Kind::kTensor;
  type.dtype = dtype;
  type.shape = std::move(shape);
  return type;
}

ValueType ValueType::of(const Tensor& value) {
  return tensor(value.dtype(), to_shape(value.dims()));
}

bool ValueType::operator==(const ValueType& other) const {
  if (kind != other.kind || dtype != other.dtype || shape != other.shape) return false;
  if ((element == nullptr) != (other.element == nullptr)) return false;
  return element == nullptr || *element == *other.element;
}

std::string type_text(const ValueType& type) {
  const auto tensor_text = [&] {
    return fmt::format("{}{}", dtype_name(type.dtype),
                       type.shape ? shape_text(*type.shape) : "[*]");
  };
  const auto element_text = [&] { return type.element ? type_text(*type.element) : "?"; };
  switch (type.kind) {
    case ValueType::Kind::kTensor: return tensor_text();
    case ValueType::Kind::kSparseTensor: return fmt::format("sparse({})", tensor_text());
    case ValueType::Kind::kSequence: return fmt::format("sequence({})", element_text());
    case ValueType::Kind::kOptional: return fmt::format("optional({})", element_text());
    case ValueType::Kind::kMap:
      return fmt::format("map({},{})", dtype_name(type.dtype), element_text());
    case ValueType::Kind::kOpaque: return "opaque";
    case ValueType::Kind::kUnknown: break;
  }
  return "?";
}

}  // namespace edgewright
