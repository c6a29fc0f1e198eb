#include "serve/batching/join.h"

#include <cstring>

namespace edgewright {
namespace {

// Elements of one row.
int64_t row_elements(const Tensor& tensor) {
  int64_t count = 1;
  for (size_t axis = 1; axis < tensor.rank(); ++axis) count *= tensor.dim(axis);
  return count;
}

}  // namespace

int64_t rows_of(std::span<const Tensor> inputs) {
  int64_t rows = -1;
  for (const Tensor& tensor : inputs) {
    if (tensor.rank() == 0) return 1;
    if (rows >= 0 && tensor.dim(0) != rows) return 1;
    rows = tensor.dim(0);
  }
  return rows < 0 ? 1 : rows;
}

uint64_t form_of(std::span<const Tensor> inputs) {
  // FNV-1a; a collision would join what does not fit, which join_rows refuses.
  uint64_t hash = 14695981039346656037U;
  const auto add = [&hash](uint64_t value) { hash = (hash ^ value) * 1099511628211U; };
  for (const Tensor& tensor : inputs) {
    add(static_cast<uint64_t>(tensor.dtype()) + 1);
    add(tensor.rank());
    for (size_t axis = 1; axis < tensor.rank(); ++axis) {
      add(static_cast<uint64_t>(tensor.dim(axis)));
    }
  }
  return hash;
}

Result<Tensor> join_rows(std::span<const Tensor* const> parts) {
  Dims dims = parts[0]->dims();
  dims[0] = 0;
  for (const Tensor* part : parts) {
    dims[0] += part->dim(0);
    if (part->dtype() != parts[0]->dtype() || row_elements(*part) != row_elements(*parts[0])) {
      return internal_error("requests of different forms in one batch");
    }
  }
  if (parts[0]->dtype() == DType::kString) {
    std::vector<std::string> elements;
    for (const Tensor* part : parts) {
      elements.insert(elements.end(), part->string_elements().begin(),
                      part->string_elements().end());
    }
    return Tensor::strings(std::move(dims), std::move(elements));
  }
  EDGEWRIGHT_ASSIGN(Tensor whole,
                    Tensor::allocate_uninitialised(parts[0]->dtype(), std::move(dims)));
  std::byte* out = whole.mutable_bytes();
  for (const Tensor* part : parts) {
    if (part->size_bytes() > 0) std::memcpy(out, part->bytes(), part->size_bytes());
    out += part->size_bytes();
  }
  return whole;
}

Result<Tensor> copy_rows(const Tensor& tensor, int64_t begin, int64_t count) {
  Dims dims = tensor.dims();
  dims[0] = count;
  const int64_t elements = row_elements(tensor);
  if (tensor.dtype() == DType::kString) {
    const auto first = tensor.string_elements().begin() + begin * elements;
    return Tensor::strings(std::move(dims), std::vector(first, first + count * elements));
  }
  EDGEWRIGHT_ASSIGN(Tensor part, Tensor::allocate_uninitialised(tensor.dtype(), std::move(dims)));
  const size_t offset = dtype_bytes(tensor.dtype(), static_cast<size_t>(begin * elements));
  if (part.size_bytes() > 0) {
    std::memcpy(part.mutable_bytes(), tensor.bytes() + offset, part.size_bytes());
  }
  return part;
}

}  // namespace edgewright
