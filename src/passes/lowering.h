#pragma once

#include <cstdint>
#include <span>

#include "passes/pass.h"

namespace edgewright {

// Passes that turn an optimised graph into the operators of the native engine (domain
// "edgewright"), in order; they run once, after optimisation, when the target is a plan. Input
// shapes should be fixed by then: nodes with open shapes stay as they are.
//
// edgewright::Conv2d       X, W (constant OIHW or OIW), [B], [R]: explicit Conv attributes strides,
//                          pads, dilations, group; epilogue
// edgewright::MatMul       A, B, [bias N], [residual]: transpose_a, transpose_b, alpha_scale (of
// the
//                          product); epilogue
//                          Conv2d and MatMul: products="bfloat16" where both operands were of that
//                          type: kernels may round them to it
// edgewright::Attention    Q [B,S,heads*size], K, V [B,T,kv_heads*size], [mask that broadcasts to
//                          B,heads,S,T and is added]: num_heads, kv_num_heads, scale (absent:
//                          1/sqrt(size)), unidirectional; packed_qkv: input 0 holds Q, K and V side
//                          by side, [B,S,(heads+2*kv_heads)*size], K and V are omitted
// edgewright::Elementwise  i0, i1, ...: program (see kernels/elementwise/program.h)
// edgewright::QuantizedConv2d  X (8 bits), W (int8 OIHW), M (float [O] or [1]), [B (float [O])],
// [R]:
//                          strides, pads, dilations, group, and as QuantizedMatMul
// edgewright::QuantizedMatMul  A (8 bits), B (int8), M (float [N] or [1]), [bias (float [N])],
//                          [residual (8 bits or float)]: transpose_a, transpose_b; x_zero and
//                          w_zero (zero points of the operands), product_scale, product_zero and
//                          product_is_signed (where the product is rounded before the sum),
//                          residual_scale, residual_zero, y_type (DType; absent: float32), y_scale,
//                          y_zero; epilogue. Output 1: the result in float. kernels/integer/
//                          requantise.h has the formula
// edgewright::QuantizedAttention  X [B,S,3*heads*size], float: Q, K and V side by side: num_heads,
//                          scale; q, k, v, weights (the softmax) and y are rounded to 8 bits with
//                          NAME_scale, NAME_zero and NAME_type (DType). Y [B,S,heads*size], 8 bits
// edgewright::QuantizedAveragePool  X (8 bits): kernel_shape, strides, pads, count_include_pad;
//                          x_scale, x_zero, y_type, y_scale and y_zero (absent y_type: float32)
// edgewright::QuantizedResize  X (8 bits), over the image, linear, by the quotient of the sizes:
//                          coordinate_transformation_mode, sizes (of all axes); x_scale, ... as
//                          QuantizedAveragePool
// edgewright::Reorder      X: brings it from one layout to another
// Epilogue: activation ("" or a name as in kernels/epilogue.h), alpha, beta,
//                          residual_before_activation (default 1).
//
// Layouts are recorded on nodes as ints input_layouts and output_layouts, one per input and output;
// nodes without them read and write plain tensors.
std::span<const Pass> lowering_passes();

// How a tensor lies in memory; the values are those of the kernels' Layout.
enum class LayoutCode : int64_t { kPlain = 0, kNhwc = 1, kNchw16c = 2, kNchw8c = 3 };

}  // namespace edgewright
