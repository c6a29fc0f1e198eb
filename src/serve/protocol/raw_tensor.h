#pragma once

#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace edgewright::oip {

// A tensor as bytes, little-endian and row-major, the same in gRPC's raw contents and in HTTP's
// binary data: booleans take a byte each, and strings stand one after another, each after its
// length in 4 bytes.
size_t raw_bytes(const Tensor& tensor);
void append_raw(const Tensor& tensor, std::string& out);

// The reverse. Errors (bad input): a shape and bytes that do not go together; nothing is allocated
// before that is known.
Result<Tensor> tensor_from_raw(DType dtype, Dims dims, std::string_view bytes);

}  // namespace edgewright::oip
