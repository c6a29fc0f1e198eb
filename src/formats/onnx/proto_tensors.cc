#include <cstring>

#include "formats/onnx/external_data.h"
#include "formats/onnx/proto.h"

namespace edgewright::onnx_io {
namespace {

// Any byte but zero is true; kernels may rely on 0 and 1.
void normalise_bools(std::byte* bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) bytes[i] = std::byte{bytes[i] != std::byte{0}};
}

Result<Tensor> take_raw(onnx::TensorProto& proto, DType dtype, Dims dims, int64_t count) {
  const size_t size_bytes = dtype_bytes(dtype, static_cast<size_t>(count));
  if (dtype == DType::kString) return bad_input("strings cannot be stored as raw data");
  if (proto.raw_data().size() != size_bytes) {
    return bad_input("{} bytes of raw data, {} of shape {} takes {}", proto.raw_data().size(),
                     dtype_name(dtype), dims_text(dims), size_bytes);
  }
  const std::shared_ptr<std::string> owner(proto.release_raw_data());
  auto* bytes = reinterpret_cast<std::byte*>(owner->data());
  if (dtype == DType::kBool) normalise_bools(bytes, size_bytes);
  return Tensor::view(dtype, std::move(dims), bytes, owner);
}

// Copies a field of numbers, each to the low bytes of one stored unit.
template <class Stored, class Field>
Result<Tensor> copy_field(const Field& field, DType dtype, Dims dims, size_t units) {
  if (static_cast<size_t>(field.size()) != units) {
    return bad_input("{} numbers, {} of shape {} takes {}", field.size(), dtype_name(dtype),
                     dims_text(dims), units);
  }
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(dtype, std::move(dims)));
  auto* out = reinterpret_cast<Stored*>(tensor.mutable_bytes());
  for (int i = 0; i < field.size(); ++i) out[i] = static_cast<Stored>(field[i]);
  if (dtype == DType::kBool) normalise_bools(tensor.mutable_bytes(), units);
  return tensor;
}

Result<Tensor> take_strings(onnx::TensorProto& proto, Dims dims, size_t count) {
  if (static_cast<size_t>(proto.string_data_size()) != count) {
    return bad_input("{} strings, shape {} takes {}", proto.string_data_size(), dims_text(dims),
                     count);
  }
  std::vector<std::string> elements;
  elements.reserve(count);
  for (auto& text : *proto.mutable_string_data()) elements.push_back(std::move(text));
  return Tensor::strings(std::move(dims), std::move(elements));
}

Result<Tensor> take_typed(onnx::TensorProto& proto, DType dtype, Dims dims, int64_t count) {
  const auto n = static_cast<size_t>(count);
  switch (dtype) {
    case DType::kString: return take_strings(proto, std::move(dims), n);
    case DType::kFloat32: return copy_field<float>(proto.float_data(), dtype, std::move(dims), n);
    case DType::kComplex64:
      return copy_field<float>(proto.float_data(), dtype, std::move(dims), 2 * n);
    case DType::kFloat64: return copy_field<double>(proto.double_data(), dtype, std::move(dims), n);
    case DType::kComplex128:
      return copy_field<double>(proto.double_data(), dtype, std::move(dims), 2 * n);
    case DType::kInt64: return copy_field<int64_t>(proto.int64_data(), dtype, std::move(dims), n);
    case DType::kUint64:
      return copy_field<uint64_t>(proto.uint64_data(), dtype, std::move(dims), n);
    case DType::kUint32:
      return copy_field<uint32_t>(proto.uint64_data(), dtype, std::move(dims), n);
    case DType::kInt32: return copy_field<int32_t>(proto.int32_data(), dtype, std::move(dims), n);
    default: break;
  }
  if (dtype_bits(dtype) == 16) {
    return copy_field<uint16_t>(proto.int32_data(), dtype, std::move(dims), n);
  }
  return copy_field<uint8_t>(proto.int32_data(), dtype, std::move(dims), dtype_bytes(dtype, n));
}

Result<Tensor> take_unnamed(onnx::TensorProto& proto, ExternalData* external) {
  EDGEWRIGHT_ASSIGN(const DType dtype, dtype_of_number(proto.data_type()));
  if (proto.has_segment()) return unsupported("a tensor in segments");
  Dims dims(proto.dims().begin(), proto.dims().end());
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  if (count > INT64_MAX / 16) return bad_input("shape {} is too large", dims_text(dims));
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    if (external == nullptr) return bad_input("external data where the data must be inside");
    EDGEWRIGHT_ASSIGN(Tensor tensor, external->load(proto, dtype, std::move(dims)));
    if (dtype == DType::kBool) normalise_bools(tensor.mutable_bytes(), tensor.size_bytes());
    return tensor;
  }
  if (proto.has_raw_data()) return take_raw(proto, dtype, std::move(dims), count);
  return take_typed(proto, dtype, std::move(dims), count);
}

// Where element `index` of `indices` puts its value, or an error when it lies outside.
Result<int64_t> flat_position(const Tensor& indices, int64_t index, const Dims& dims,
                              int64_t count) {
  const auto* numbers = indices.data<int64_t>();
  int64_t position = 0;
  if (indices.rank() == 1) {
    position = numbers[index];
    if (position < 0 || position >= count) return bad_input("sparse index {} is outside", position);
    return position;
  }
  const auto rank = static_cast<int64_t>(dims.size());
  for (int64_t axis = 0; axis < rank; ++axis) {
    const int64_t at = numbers[index * rank + axis];
    const int64_t dim = dims[static_cast<size_t>(axis)];
    if (at < 0 || at >= dim) return bad_input("sparse index {} is outside dimension {}", at, dim);
    position = position * dim + at;
  }
  return position;
}

Status check_sparse(const Tensor& values, const Tensor& indices, const Dims& dims) {
  if (values.rank() != 1 || indices.dtype() != DType::kInt64 || indices.rank() < 1 ||
      indices.rank() > 2 || indices.dim(0) != values.dim(0) ||
      (indices.rank() == 2 && indices.dim(1) != static_cast<int64_t>(dims.size()))) {
    return bad_input("sparse tensor of shape {} with values {} and indices {}", dims_text(dims),
                     dims_text(values.dims()), dims_text(indices.dims()));
  }
  if (dtype_bits(values.dtype()) < 8) {
    return unsupported("a sparse tensor of type {}", dtype_name(values.dtype()));
  }
  return {};
}

}  // namespace

Result<Tensor> take_tensor(onnx::TensorProto& proto, ExternalData* external) {
  auto tensor = take_unnamed(proto, external);
  if (tensor.ok()) return tensor;
  return std::move(tensor).error().at(fmt::format("tensor '{}'", proto.name()));
}

Result<Tensor> take_dense(onnx::SparseTensorProto& proto, ExternalData* external) {
  EDGEWRIGHT_ASSIGN(const Tensor values, take_tensor(*proto.mutable_values(), external));
  EDGEWRIGHT_ASSIGN(const Tensor indices, take_tensor(*proto.mutable_indices(), external));
  const Dims dims(proto.dims().begin(), proto.dims().end());
  EDGEWRIGHT_TRY(check_sparse(values, indices, dims));
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  // A few bytes of file must not ask for all memory.
  constexpr int64_t kMaxDenseElements = int64_t{1} << 27;
  if (count > kMaxDenseElements) {
    return unsupported("sparse tensor of shape {} is too large to store densely", dims_text(dims));
  }
  EDGEWRIGHT_ASSIGN(Tensor dense, Tensor::allocate(values.dtype(), dims));
  const size_t size_bytes = dtype_bytes(values.dtype(), 1);
  for (int64_t i = 0; i < values.element_count(); ++i) {
    EDGEWRIGHT_ASSIGN(const int64_t position, flat_position(indices, i, dims, count));
    std::memcpy(dense.mutable_bytes() + static_cast<size_t>(position) * size_bytes,
                values.bytes() + static_cast<size_t>(i) * size_bytes, size_bytes);
  }
  return dense;
}

void to_tensor_proto(const Tensor& tensor, onnx::TensorProto& proto) {
  proto.set_data_type(static_cast<int>(tensor.dtype()));
  for (const int64_t dim : tensor.dims()) proto.add_dims(dim);
  if (tensor.dtype() == DType::kString) {
    for (const std::string& text : tensor.string_elements()) proto.add_string_data(text);
  } else {
    proto.set_raw_data(tensor.bytes(), tensor.size_bytes());
  }
}

}  // namespace edgewright::onnx_io
