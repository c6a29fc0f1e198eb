#pragma once

#include "kernels/conv/conv_shape.h"
#include "kernels/integer/requantise.h"
#include "kernels/matmul/matmul_shape.h"

namespace edgewright {

// edgewright::QuantizedConv2d: X (8 bits), W int8 OIHW, M float32 [O] or [1], B float32 [O] or
// omitted, R shaped as Y or omitted; NHWC throughout.
struct QuantizedConvShape {
  ConvShape conv;
  Requantisation requantisation;
  bool x_is_signed = false;
};
Result<QuantizedConvShape> parse_quantized_conv(const KernelRequest& request);

// edgewright::QuantizedMatMul: A (8 bits), B int8, M float32 [N] or [1], bias float32 [N] or
// omitted, R shaped as Y or omitted.
struct QuantizedMatMulShape {
  MatMulShape matmul;
  Requantisation requantisation;
  bool a_is_signed = false;
};
Result<QuantizedMatMulShape> parse_quantized_matmul(const KernelRequest& request);

// W, M and B are there to be packed.
bool has_constant_factors(const KernelRequest& request);
// M and B as arrays; b is null where there is none.
struct ColumnFactors {
  const float* m = nullptr;
  bool one_m = false;
  const float* b = nullptr;
};
ColumnFactors column_factors(const KernelRequest& request);

}  // namespace edgewright
