#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "tensor/element.h"

namespace edgewright {
namespace {

std::shared_ptr<void> aligned_bytes(size_t size_bytes) {
  void* memory = ::operator new(size_bytes, std::align_val_t{kTensorAlignment}, std::nothrow);
  if (memory == nullptr) return nullptr;
  return {memory, [](void* p) { ::operator delete(p, std::align_val_t{kTensorAlignment}); }};
}

// Vector kernels may read a full register at the end of a row.
constexpr size_t kTailBytes = 64;

}  // namespace

Result<int64_t> checked_element_count(std::span<const int64_t> dims) {
  int64_t count = 1;
  bool zero = false;
  for (const int64_t dim : dims) {
    if (dim < 0) return bad_input("dimension {} of shape {} is negative", dim, dims_text(dims));
    zero = zero || dim == 0;
    if (dim != 0 && __builtin_mul_overflow(count, dim, &count)) {
      return bad_input("shape {} has more elements than an int64 can count", dims_text(dims));
    }
  }
  return zero ? 0 : count;
}

std::string dims_text(std::span<const int64_t> dims) {
  if (dims.empty()) return "scalar";
  return fmt::format("{}", fmt::join(dims, "x"));
}

Result<Tensor> Tensor::allocate_uninitialised(DType dtype, Dims dims) {
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  if (dtype == DType::kString) {
    if (count > kMaxTensorBytes / static_cast<int64_t>(sizeof(std::string))) {
      return internal_error("a string tensor of shape {} is too large", dims_text(dims));
    }
    return strings(std::move(dims), std::vector<std::string>(static_cast<size_t>(count)));
  }
  if (dtype_bits(dtype) == 0) return bad_input("a tensor of undefined element type");
  if (count > kMaxTensorBytes / std::max(1, dtype_bits(dtype) / 8)) {
    return internal_error("a {} tensor of shape {} is larger than the limit of {} bytes",
                          dtype_name(dtype), dims_text(dims), kMaxTensorBytes);
  }
  Tensor tensor(dtype, std::move(dims), count);
  auto memory = aligned_bytes(tensor.size_bytes() + kTailBytes);
  if (memory == nullptr) {
    return internal_error("out of memory for a {} tensor of shape {}", dtype_name(dtype),
                          dims_text(tensor.dims_));
  }
  tensor.data_ = static_cast<std::byte*>(memory.get());
  tensor.owner_ = std::move(memory);
  // The last byte of a packed type may have bits that no element fills; they are always zero.
  if (dtype_bits(dtype) < 8 && count > 0) tensor.data_[tensor.size_bytes() - 1] = std::byte{0};
  return tensor;
}

Result<Tensor> Tensor::allocate(DType dtype, Dims dims) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, allocate_uninitialised(dtype, std::move(dims)));
  if (tensor.data_ != nullptr) std::memset(tensor.data_, 0, tensor.size_bytes());
  return tensor;
}

Tensor Tensor::view(DType dtype, Dims dims, const void* data, std::shared_ptr<const void> owner) {
  const auto count = checked_element_count(dims);
  EDGEWRIGHT_CHECK(count.ok() && dtype_bits(dtype) > 0);
  Tensor tensor(dtype, std::move(dims), *count);
  tensor.data_ = static_cast<std::byte*>(const_cast<void*>(data));
  tensor.owner_ = std::move(owner);
  return tensor;
}

Tensor Tensor::strings(Dims dims, std::vector<std::string> elements) {
  const auto count = checked_element_count(dims);
  EDGEWRIGHT_CHECK(count.ok() && static_cast<size_t>(*count) == elements.size());
  Tensor tensor(DType::kString, std::move(dims), *count);
  tensor.strings_ = std::make_shared<std::vector<std::string>>(std::move(elements));
  return tensor;
}

Tensor Tensor::reshaped(Dims dims) const {
  const auto count = checked_element_count(dims);
  EDGEWRIGHT_CHECK(count.ok() && *count == element_count_);
  Tensor tensor = *this;
  tensor.dims_ = std::move(dims);
  return tensor;
}

Result<std::vector<int64_t>> Tensor::to_int64s() const {
  if (!is_integer(dtype_) && dtype_ != DType::kBool) {
    return bad_input("found a {} tensor where integers are expected", dtype_name(dtype_));
  }
  std::vector<int64_t> values(static_cast<size_t>(element_count_));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = load_int64(dtype_, data_, static_cast<int64_t>(i));
  }
  return values;
}

Result<std::vector<double>> Tensor::to_doubles() const {
  if (!is_integer(dtype_) && !is_floating_point(dtype_) && dtype_ != DType::kBool) {
    return bad_input("found a {} tensor where real numbers are expected", dtype_name(dtype_));
  }
  std::vector<double> values(static_cast<size_t>(element_count_));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = load_double(dtype_, data_, static_cast<int64_t>(i));
  }
  return values;
}

Result<Tensor> clone(const Tensor& tensor) {
  if (tensor.dtype() == DType::kString) {
    return Tensor::strings(tensor.dims(), tensor.string_elements());
  }
  EDGEWRIGHT_ASSIGN(Tensor copy, Tensor::allocate_uninitialised(tensor.dtype(), tensor.dims()));
  if (tensor.size_bytes() > 0) {
    std::memcpy(copy.mutable_bytes(), tensor.bytes(), tensor.size_bytes());
  }
  return copy;
}

bool identical(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) return false;
  if (a.dtype() == DType::kString) return a.string_elements() == b.string_elements();
  return a.size_bytes() == 0 || std::memcmp(a.bytes(), b.bytes(), a.size_bytes()) == 0;
}

}  // namespace edgewright
