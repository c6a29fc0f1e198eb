#include "kernels/reference/operand.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "tensor/element.h"

namespace edgewright::reference {
namespace {

template <class T>
void convert_into(const Tensor& tensor, T* out) {
  const DType dtype = tensor.dtype();
  const std::byte* bytes = tensor.bytes();
  const int64_t count = tensor.element_count();
  if (dtype == DType::kFloat16 || dtype == DType::kBfloat16) {
    for (int64_t i = 0; i < count; ++i) {
      uint16_t bits;
      std::memcpy(&bits, bytes + 2 * i, 2);
      out[i] = static_cast<T>(dtype == DType::kFloat16
                                  ? Half::to_float(bits)
                                  : std::bit_cast<float>(static_cast<uint32_t>(bits) << 16));
    }
  } else if constexpr (std::is_integral_v<T>) {
    for (int64_t i = 0; i < count; ++i) {
      out[i] = static_cast<T>(load_int64(dtype, bytes, i));
    }
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(load_double(dtype, bytes, i));
  }
}

template <class T>
void store(void* data, int64_t index, T value) {
  std::memcpy(static_cast<char*>(data) + index * static_cast<int64_t>(sizeof(T)), &value,
              sizeof(T));
}

// The limits of the integer types as double; the upper ones of 64 bits round up to a power of two,
// which is why the comparison below is >=.
template <class T>
T truncated(double value) {
  if (std::isnan(value)) return 0;
  if (value >= static_cast<double>(std::numeric_limits<T>::max())) {
    return std::numeric_limits<T>::max();
  }
  if (value <= static_cast<double>(std::numeric_limits<T>::min())) {
    return std::numeric_limits<T>::min();
  }
  return static_cast<T>(value);
}

uint8_t truncated_bits(double value, int bits, bool is_signed) {
  const int low = is_signed ? -(1 << (bits - 1)) : 0;
  const int high = low + (1 << bits) - 1;
  const int whole = truncated<int32_t>(value);
  return static_cast<uint8_t>(std::clamp(whole, low, high));
}

}  // namespace

template <class T>
Result<const T*> read_as(OpCall& call, const Tensor& tensor) {
  const DType dtype = tensor.dtype();
  if (dtype == kDTypeOf<T> && reinterpret_cast<uintptr_t>(tensor.bytes()) % alignof(T) == 0) {
    return tensor.data<T>();
  }
  if (!is_floating_point(dtype) && !is_integer(dtype) && dtype != DType::kBool) {
    return bad_input("{} of {}, expected a numeric type", call.op, dtype_name(dtype));
  }
  if (std::is_integral_v<T> && is_floating_point(dtype)) {
    return bad_input("{} of {}, expected an integer type", call.op, dtype_name(dtype));
  }
  EDGEWRIGHT_ASSIGN(T * converted, scratch_array<T>(call, tensor.element_count()));
  convert_into(tensor, converted);
  return static_cast<const T*>(converted);
}
template Result<const float*> read_as<float>(OpCall&, const Tensor&);
template Result<const double*> read_as<double>(OpCall&, const Tensor&);
template Result<const int32_t*> read_as<int32_t>(OpCall&, const Tensor&);
template Result<const int64_t*> read_as<int64_t>(OpCall&, const Tensor&);

void store_double(DType dtype, void* data, int64_t index, double value) {
  switch (dtype) {
    case DType::kFloat32: return store(data, index, static_cast<float>(value));
    case DType::kFloat64: return store(data, index, value);
    case DType::kFloat16: return store(data, index, Half(static_cast<float>(value)));
    case DType::kBfloat16: return store(data, index, Bfloat16(static_cast<float>(value)));
    case DType::kBool: return store(data, index, static_cast<uint8_t>(value != 0));
    case DType::kUint8: return store(data, index, truncated<uint8_t>(value));
    case DType::kInt8: return store(data, index, truncated<int8_t>(value));
    case DType::kUint16: return store(data, index, truncated<uint16_t>(value));
    case DType::kInt16: return store(data, index, truncated<int16_t>(value));
    case DType::kUint32: return store(data, index, truncated<uint32_t>(value));
    case DType::kInt32: return store(data, index, truncated<int32_t>(value));
    case DType::kUint64: return store(data, index, truncated<uint64_t>(value));
    case DType::kInt64: return store(data, index, truncated<int64_t>(value));
    case DType::kFloat8E4M3FN:
    case DType::kFloat8E4M3FNUZ:
    case DType::kFloat8E5M2:
    case DType::kFloat8E5M2FNUZ:
    case DType::kFloat8E8M0:
      return store(data, index, float_to_float8(dtype, static_cast<float>(value), true));
    case DType::kFloat4E2M1:
      return packed_set(data, index, 4, float_to_float4(static_cast<float>(value)));
    case DType::kUint4:
    case DType::kInt4:
      return packed_set(data, index, 4, truncated_bits(value, 4, dtype == DType::kInt4));
    case DType::kUint2:
    case DType::kInt2:
      return packed_set(data, index, 2, truncated_bits(value, 2, dtype == DType::kInt2));
    default: EDGEWRIGHT_CHECK(false);
  }
}

template <class T>
void write_from(const T* source, Tensor& tensor) {
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    store_double(tensor.dtype(), tensor.mutable_bytes(), i, static_cast<double>(source[i]));
  }
}
template void write_from<float>(const float*, Tensor&);
template void write_from<double>(const double*, Tensor&);
template void write_from<int32_t>(const int32_t*, Tensor&);
template void write_from<int64_t>(const int64_t*, Tensor&);

bool is_real(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 ||
         dtype == DType::kBfloat16;
}

Result<size_t> axis_of(const OpCall& call, int64_t axis, size_t rank) {
  const auto signed_rank = static_cast<int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) {
    return bad_input("{} has axis {} of a tensor of rank {}", call.op, axis, rank);
  }
  return static_cast<size_t>(axis < 0 ? axis + signed_rank : axis);
}

Status expect_rank(const OpCall& call, std::string_view what, const Tensor& tensor, size_t rank) {
  if (tensor.rank() == rank) return {};
  return bad_input("{} of {} has shape {}, expected rank {}", what, call.op,
                   dims_text(tensor.dims()), rank);
}

Status expect_dims(const OpCall& call, std::string_view what, const Tensor& tensor,
                   const Dims& dims) {
  if (tensor.dims() == dims) return {};
  return bad_input("{} of {} has shape {}, expected {}", what, call.op, dims_text(tensor.dims()),
                   dims_text(dims));
}

int64_t span_count(const Dims& dims, size_t first, size_t last) {
  int64_t count = 1;
  for (size_t i = first; i < last; ++i) count *= dims[i];
  return count;
}

bool next_index(std::span<const int64_t> dims, std::span<int64_t> index) {
  for (size_t axis = dims.size(); axis-- > 0;) {
    if (++index[axis] < dims[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

namespace {

// Strides of `from` walked over `to`, zero where it repeats; nothing when it does not broadcast.
std::optional<Dims> repeating_strides(const Dims& from, const Dims& to) {
  if (from.size() > to.size()) return std::nullopt;
  Dims strides(to.size(), 0);
  int64_t step = 1;
  for (size_t i = 1; i <= from.size(); ++i) {
    const int64_t size = from[from.size() - i];
    const int64_t target = to[to.size() - i];
    if (size != target && size != 1) return std::nullopt;
    strides[to.size() - i] = size == 1 ? 0 : step;
    step *= size;
  }
  return strides;
}

bool ends_with(const Dims& dims, const Dims& tail) {
  const auto first = std::find_if(tail.begin(), tail.end(), [](int64_t dim) { return dim != 1; });
  const auto count = tail.end() - first;
  return count <= static_cast<int64_t>(dims.size()) &&
         std::equal(first, tail.end(), dims.end() - count);
}

}  // namespace

template <class T>
Result<Repeated<T>> repeated(OpCall& call, std::string_view what, const Operand<T>& operand,
                             const Dims& dims) {
  const std::optional<Dims> strides = repeating_strides(operand.dims(), dims);
  if (!strides) {
    return bad_input("{} of {} has shape {}, which does not broadcast to {}", what, call.op,
                     dims_text(operand.dims()), dims_text(dims));
  }
  if (ends_with(dims, operand.dims())) {
    return Repeated<T>{operand.data, std::max<int64_t>(operand.count(), 1)};
  }
  EDGEWRIGHT_ASSIGN(Tensor * expanded, call.make_scratch(kDTypeOf<T>, dims));
  T* to = expanded->template mutable_data<T>();
  const int64_t count = expanded->element_count();
  Dims index(dims.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t from = 0;
    for (size_t axis = 0; axis < dims.size(); ++axis) from += index[axis] * (*strides)[axis];
    to[i] = operand[from];
    next_index(dims, index);
  }
  return Repeated<T>{to, std::max<int64_t>(count, 1)};
}
template Result<Repeated<float>> repeated(OpCall&, std::string_view, const Operand<float>&,
                                          const Dims&);
template Result<Repeated<double>> repeated(OpCall&, std::string_view, const Operand<double>&,
                                           const Dims&);
template Result<Repeated<int64_t>> repeated(OpCall&, std::string_view, const Operand<int64_t>&,
                                            const Dims&);

}  // namespace edgewright::reference
