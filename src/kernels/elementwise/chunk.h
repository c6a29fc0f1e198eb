#pragma once

#include <cstddef>

#include "kernels/elementwise/program.h"
#include "tensor/dtype.h"

namespace edgewright {

// Elements that one instruction computes at a time: the operands of a few instructions stay in the
// first-level cache.
inline constexpr size_t kElementChunk = 512;

// out[i] = op(a[i], b[i]) for `count` elements; b is null for one operand. `x` and `y` are the
// literals of the operators that have any. `out` may be `a` or `b`.
void compute_chunk(ElementOp op, const float* a, const float* b, float x, float y, float* out,
                   size_t count);
// Bytes as numbers, and whole numbers as bytes (saturated). dtype: uint8 or int8.
void load_bytes(DType dtype, const void* from, float* out, size_t count);
void store_bytes(DType dtype, const float* values, void* out, size_t count);

}  // namespace edgewright
