#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "edgewright/dtype.h"
#include "edgewright/half.h"
#include "edgewright/result.h"

namespace edgewright {

using Dims = std::vector<int64_t>;

// Number of elements; an error when a dimension is negative or the product overflows int64.
Result<int64_t> checked_element_count(std::span<const int64_t> dims);
// "2x3x4"; "scalar" for rank 0.
std::string dims_text(std::span<const int64_t> dims);

// No tensor is larger than this unless its bytes come from a mapped file: a hostile shape must not
// exhaust the machine.
inline constexpr int64_t kMaxTensorBytes = int64_t{1} << 36;
inline constexpr size_t kTensorAlignment = 64;

// A dense, row-major array: element type, dimensions and shared storage. Copies share the storage;
// whoever writes must be its only user. Strings are std::string elements; sub-byte types are packed
// low bits first as ONNX packs them. A default-constructed tensor is empty (dtype kUndefined).
class Tensor {
 public:
  Tensor() = default;

  // Zero-filled, 64-byte aligned. Fails when the size overflows or memory is exhausted.
  static Result<Tensor> allocate(DType dtype, Dims dims);
  // The same without zero-filling.
  static Result<Tensor> allocate_uninitialised(DType dtype, Dims dims);
  // Refers to bytes owned by `owner` (for example a mapped file); the caller has checked that
  // size_bytes() of (dtype, dims) are there. Not aligned in general: use read<T>() then.
  static Tensor view(DType dtype, Dims dims, const void* data, std::shared_ptr<const void> owner);
  static Tensor strings(Dims dims, std::vector<std::string> elements);
  template <class T>
  static Tensor of(Dims dims, std::span<const T> elements);
  template <class T>
  static Tensor of(Dims dims, std::initializer_list<T> elements) {
    return of<T>(std::move(dims), std::span<const T>(elements.begin(), elements.size()));
  }
  template <class T>
  static Tensor scalar(T value) {
    return of<T>({}, {value});
  }

  bool empty_handle() const { return dtype_ == DType::kUndefined; }
  DType dtype() const { return dtype_; }
  const Dims& dims() const { return dims_; }
  int64_t dim(size_t axis) const { return dims_[axis]; }
  size_t rank() const { return dims_.size(); }
  int64_t element_count() const { return element_count_; }
  size_t size_bytes() const { return dtype_bytes(dtype_, static_cast<size_t>(element_count_)); }
  // The same elements with other dimensions; the element count must be equal.
  Tensor reshaped(Dims dims) const;

  const std::byte* bytes() const { return data_; }
  std::byte* mutable_bytes() { return data_; }
  std::span<const std::byte> byte_span() const { return {data_, size_bytes()}; }
  template <class T>
  const T* data() const {
    EDGEWRIGHT_CHECK(dtype_bits(dtype_) == static_cast<int>(sizeof(T) * 8));
    return reinterpret_cast<const T*>(data_);
  }
  template <class T>
  T* mutable_data() {
    EDGEWRIGHT_CHECK(dtype_bits(dtype_) == static_cast<int>(sizeof(T) * 8));
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  std::span<const T> elements() const {
    return {data<T>(), static_cast<size_t>(element_count_)};
  }
  const std::vector<std::string>& string_elements() const { return *strings_; }
  std::vector<std::string>& mutable_string_elements() { return *strings_; }

  // Elements of any integer or bool type as int64; an error for other types.
  Result<std::vector<int64_t>> to_int64s() const;
  // Elements of any numeric type as double (sub-byte, half and 8-bit floats included).
  Result<std::vector<double>> to_doubles() const;

 private:
  Tensor(DType dtype, Dims dims, int64_t element_count)
      : dtype_(dtype), dims_(std::move(dims)), element_count_(element_count) {}

  DType dtype_ = DType::kUndefined;
  Dims dims_;
  int64_t element_count_ = 0;
  std::byte* data_ = nullptr;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<std::vector<std::string>> strings_;
};

// A copy with its own storage.
Result<Tensor> clone(const Tensor& tensor);
// Same type, dimensions and bytes (NaN equals the same NaN).
bool identical(const Tensor& a, const Tensor& b);

template <class T>
Tensor Tensor::of(Dims dims, std::span<const T> elements) {
  auto tensor = allocate_uninitialised(kDTypeOf<T>, std::move(dims));
  EDGEWRIGHT_CHECK(tensor.ok());
  EDGEWRIGHT_CHECK(static_cast<size_t>(tensor->element_count()) == elements.size());
  std::copy(elements.begin(), elements.end(), tensor->template mutable_data<T>());
  return *std::move(tensor);
}

}  // namespace edgewright
