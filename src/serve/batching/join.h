#pragma once

#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace edgewright {

// Rows of a request: the first dimension that all its inputs share; 1 where they share none.
int64_t rows_of(std::span<const Tensor> inputs);
// The same number for inputs that can be joined: types and all other dimensions are equal.
uint64_t form_of(std::span<const Tensor> inputs);

// Tensors of equal type and equal further dimensions, one below the other.
Result<Tensor> join_rows(std::span<const Tensor* const> parts);
// Rows [begin, begin + count) as a tensor of their own.
Result<Tensor> copy_rows(const Tensor& tensor, int64_t begin, int64_t count);

}  // namespace edgewright
