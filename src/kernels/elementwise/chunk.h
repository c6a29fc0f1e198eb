#pragma once

#include <cstddef>

#include "kernels/elementwise/program.h"

namespace edgewright {

// Elements that one instruction computes at a time: the operands of a few instructions stay in the
// first-level cache.
inline constexpr size_t kElementChunk = 512;

// out[i] = op(a[i], b[i]) for `count` elements; b is null for one operand. `x` and `y` are the
// literals of Clip, LeakyRelu and HardSigmoid. `out` may be `a` or `b`.
void compute_chunk(ElementOp op, const float* a, const float* b, float x, float y, float* out,
                   size_t count);

}  // namespace edgewright
