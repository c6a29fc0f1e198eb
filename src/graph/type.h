#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace edgewright {

// One dimension of a shape: a number, a named symbol ("batch") or unknown.
struct Dim {
  int64_t value = -1;  // -1: not a number
  std::string symbol;  // empty: no name

  Dim() = default;
  Dim(int64_t number) : value(number) {}
  explicit Dim(std::string name) : symbol(std::move(name)) {}
  bool is_known() const { return value >= 0; }
  bool operator==(const Dim&) const = default;
};
using Shape = std::vector<Dim>;

std::string shape_text(const Shape& shape);  // "[1,batch,?]"
// The dimensions as numbers, if all are known.
std::optional<Dims> known_dims(const Shape& shape);
Shape to_shape(const Dims& dims);

// The type of a graph value, as far as it is known.
struct ValueType {
  enum class Kind : uint8_t {
    kUnknown,
    kTensor,
    kSparseTensor,
    kSequence,
    kOptional,
    kMap,
    kOpaque
  };

  Kind kind = Kind::kUnknown;
  DType dtype = DType::kUndefined;           // of a tensor; of a map's keys
  std::optional<Shape> shape;                // of a tensor; absent: not even the rank is known
  std::shared_ptr<const ValueType> element;  // of a sequence, an optional, a map's values

  static ValueType tensor(DType dtype, std::optional<Shape> shape = std::nullopt);
  static ValueType of(const Tensor& tensor);
  bool is_tensor() const { return kind == Kind::kTensor; }
  bool operator==(const ValueType& other) const;
};

// "float32[1,3,224,224]", "int64[*]" (rank unknown), "sequence(float32[*])", "?".
std::string type_text(const ValueType& type);

}  // namespace edgewright
