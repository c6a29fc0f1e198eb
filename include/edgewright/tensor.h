#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "edgewright/result.h"

namespace edgewright {

// Element types; the values are those of onnx.TensorProto.DataType.
enum class DType : uint8_t {
  kUndefined = 0,
  kFloat32 = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
  kFloat8E4M3FN = 17,
  kFloat8E4M3FNUZ = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2FNUZ = 20,
  kUint4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUint2 = 25,
  kInt2 = 26,
};
inline constexpr int kDTypeCount = 27;

// "float32", "int4", ...; "undefined" for a value outside the enum.
std::string_view dtype_name(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);
// Bits of one element; 0 for strings and undefined.
int dtype_bits(DType dtype);
// Bytes that `count` elements take, packed as ONNX packs sub-byte types (low bits first).
size_t dtype_bytes(DType dtype, size_t count);
bool is_floating_point(DType dtype);
bool is_integer(DType dtype);
bool is_signed(DType dtype);

// The DType of a C++ element type.
struct Half;
struct Bfloat16;
template <class T>
inline constexpr DType kDTypeOf = DType::kUndefined;
template <>
inline constexpr DType kDTypeOf<float> = DType::kFloat32;
template <>
inline constexpr DType kDTypeOf<uint8_t> = DType::kUint8;
template <>
inline constexpr DType kDTypeOf<int8_t> = DType::kInt8;
template <>
inline constexpr DType kDTypeOf<uint16_t> = DType::kUint16;
template <>
inline constexpr DType kDTypeOf<int16_t> = DType::kInt16;
template <>
inline constexpr DType kDTypeOf<int32_t> = DType::kInt32;
template <>
inline constexpr DType kDTypeOf<int64_t> = DType::kInt64;
template <>
inline constexpr DType kDTypeOf<bool> = DType::kBool;
template <>
inline constexpr DType kDTypeOf<Half> = DType::kFloat16;
template <>
inline constexpr DType kDTypeOf<double> = DType::kFloat64;
template <>
inline constexpr DType kDTypeOf<uint32_t> = DType::kUint32;
template <>
inline constexpr DType kDTypeOf<uint64_t> = DType::kUint64;
template <>
inline constexpr DType kDTypeOf<Bfloat16> = DType::kBfloat16;

// IEEE 754 binary16, converted with rounding to nearest even.
struct Half {
  uint16_t bits = 0;
  Half() = default;
  explicit Half(float value) : bits(from_float(value)) {}
  explicit operator float() const { return to_float(bits); }

  static uint16_t from_float(float value) {
    const uint32_t x = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>((x >> 16) & 0x8000);
    const uint32_t magnitude = x & 0x7fffffff;
    if (magnitude > 0x7f800000) return sign | 0x7e00;   // NaN
    if (magnitude >= 0x477ff000) return sign | 0x7c00;  // rounds to infinity
    if (magnitude < 0x38800000) {                       // subnormal or zero
      // Adding 0.5 aligns the mantissa so that the float addition itself rounds to nearest even.
      const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
      return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) - 0x3f000000);
    }
    const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    return sign | static_cast<uint16_t>((rounded - 0x38000000) >> 13);
  }
  static float to_float(uint16_t bits) {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
    const uint32_t exponent = (bits >> 10) & 0x1f;
    const uint32_t mantissa = bits & 0x3ff;
    if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
    if (exponent == 0) {
      const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
      return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
    }
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  }
};

// The upper half of a binary32, converted with rounding to nearest even.
struct Bfloat16 {
  uint16_t bits = 0;
  Bfloat16() = default;
  explicit Bfloat16(float value) : bits(from_float(value)) {}
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }

  static uint16_t from_float(float value) {
    const uint32_t x = std::bit_cast<uint32_t>(value);
    if ((x & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((x >> 16) | 0x40);
    return static_cast<uint16_t>((x + 0x7fff + ((x >> 16) & 1)) >> 16);
  }
};

using Dims = std::vector<int64_t>;

// Number of elements; an error when a dimension is negative or the product overflows int64.
Result<int64_t> checked_element_count(std::span<const int64_t> dims);
// "2x3x4"; "scalar" for rank 0.
std::string dims_text(std::span<const int64_t> dims);

// No tensor is larger than this unless its bytes come from a mapped file: a hostile shape must not
// exhaust the machine. A page less than 1 GiB, so that padding stays below it.
inline constexpr int64_t kMaxTensorBytes = (int64_t{1} << 30) - 4096;
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

// One array of a .npy file.
Result<Tensor> load_npy(const std::string& path);
// The arrays of a .npz archive or of a folder of .npy files, by name.
Result<std::map<std::string, Tensor>> load_data(const std::string& path);
// Writes FOLDER/NAME.npy, making the folder; characters that a file name cannot have become '_'.
// Returns the file's path.
Result<std::string> save_output(const std::string& folder, const std::string& name,
                                const Tensor& tensor);

}  // namespace edgewright
