#pragma once

#include "kernels/reference/operand.h"

namespace edgewright::reference {

// Which scale belongs to which element: one for all, one per index of an axis, or one per block of
// an axis.
struct Granularity {
  int64_t inner = 1;   // elements behind the axis
  int64_t size = 1;    // of the axis
  int64_t block = 1;   // elements of the axis that share a scale
  int64_t blocks = 1;  // per axis
  bool per_axis = false;
  bool blocked = false;

  int64_t operator()(int64_t i) const {
    if (blocked)
      return (i / (inner * size) * blocks + i / inner % size / block) * inner + i % inner;
    return per_axis ? i / inner % size : 0;
  }
};

// From the shape of the scale and the attributes axis and block_size of QuantizeLinear and
// DequantizeLinear.
Result<Granularity> granularity(const OpCall& call, const Tensor& x, const Tensor& scale);

}  // namespace edgewright::reference
