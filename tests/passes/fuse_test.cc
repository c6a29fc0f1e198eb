// Merging of operators, and rewriting towards fewer of them.
#include <gtest/gtest.h>

#include "pass_case.h"
#include "passes/passes.h"

namespace edgewright {
namespace {

const PassCase kCases[] = {
    {"casts", fuse_casts,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float64[2,3,4] = Cast(%x) {to=11}
  %y: int32[2,3,4] = Cast(%a) {to=6}
})",
     "Cast 1"},
    {"casts_that_round", fuse_casts,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: int32[2,3,4] = Cast(%x) {to=6}
  %y: float32[2,3,4] = Cast(%a) {to=1}
})",
     "unchanged"},
    {"reshapes", fuse_reshapes,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %s: int64[2] = {6, 4}
  %k: int64[1] = {1}
  %a: float32[6,4] = Reshape(%x, %s)
  %y: float32[6,1,4] = Unsqueeze(%a, %k)
})",
     "Reshape 1"},
    {"reshapes_that_undo", fuse_reshapes,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %k: int64[1] = {1}
  %e: float32[2,3,4] = Exp(%x)
  %a: float32[2,1,3,4] = Unsqueeze(%e, %k)
  %y: float32[2,3,4] = Squeeze(%a, %k)
})",
     "Exp 1"},
    {"transposes", fuse_transposes,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float32[4,2,3] = Transpose(%x) {perm=[2, 0, 1]}
  %y: float32[3,4,2] = Transpose(%a) {perm=[2, 0, 1]}
})",
     "Transpose 1"},
    {"transposes_that_cancel", fuse_transposes,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %e: float32[2,3,4] = Exp(%x)
  %a: float32[4,2,3] = Transpose(%e) {perm=[2, 0, 1]}
  %b: float32[2,3,4] = Transpose(%a) {perm=[1, 2, 0]}
  %y: float32[2,3,4] = Neg(%b)
})",
     "Exp 1, Neg 1"},
    {"slices", fuse_slices,
     R"(graph %g(%x: float32[3,20]) -> (%y) {
  %s: int64[1] = {2}
  %e: int64[1] = {18}
  %k: int64[1] = {1}
  %t: int64[1] = {3}
  %a: float32[3,6] = Slice(%x, %s, %e, %k, %t)
  %z: int64[2] = {1, -1}
  %f: int64[2] = {3, -5}
  %l: int64[2] = {0, 1}
  %u: int64[2] = {1, -2}
  %y: float32[2,2] = Slice(%a, %z, %f, %l, %u)
})",
     "Slice 1"},
    {"concats", fuse_concats,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float32[2,3,8] = Concat(%x, %x) {axis=-1}
  %y: float32[2,3,12] = Concat(%x, %a) {axis=2}
})",
     "Concat 1"},
    {"concats_on_other_axes", fuse_concats,
     R"(graph %g(%x: float32[2,2]) -> (%y) {
  %a: float32[4,2] = Concat(%x, %x) {axis=0}
  %y: float32[4,4] = Concat(%a, %a) {axis=1}
})",
     "unchanged"},
    {"clip_after_relu", fuse_clips,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %l: float32[] = {-1.0}
  %h: float32[] = {0.5}
  %a: float32[2,3,4] = Relu(%x)
  %y: float32[2,3,4] = Clip(%a, %l, %h)
})",
     "Clip 1"},
    {"relu_after_clip", fuse_clips,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %l: float32[] = {-1.0}
  %a: float32[2,3,4] = Clip(%x, %l)
  %y: float32[2,3,4] = Relu(%a)
})",
     "Relu 1"},
    {"conv_batch_normalisation", fuse_conv_affine,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[4,3,3,3], %w_g: float32[4], %w_b: float32[4], %w_m: float32[4], %w_var: float32[4]) -> (%y) {
  %c: float32[1,4,4,4] = Conv(%x, %w_k)
  %y: float32[1,4,4,4] = BatchNormalization(%c, %w_g, %w_b, %w_m, %w_var)
})",
     "Conv 1"},
    {"depthwise_conv_batch_normalisation", fuse_conv_affine,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[3,1,3,3], %w_c: float32[3], %w_g: float32[3], %w_b: float32[3], %w_m: float32[3], %w_var: float32[3]) -> (%y) {
  %c: float32[1,3,4,4] = Conv(%x, %w_k, %w_c) {group=3}
  %y: float32[1,3,4,4] = BatchNormalization(%c, %w_g, %w_b, %w_m, %w_var) {epsilon=0.001}
})",
     "Conv 1"},
    {"conv_transpose_batch_normalisation", fuse_conv_affine,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[3,4,2,2], %w_g: float32[4], %w_b: float32[4], %w_m: float32[4], %w_var: float32[4]) -> (%y) {
  %c: float32[1,4,7,7] = ConvTranspose(%x, %w_k)
  %y: float32[1,4,7,7] = BatchNormalization(%c, %w_g, %w_b, %w_m, %w_var)
})",
     "ConvTranspose 1"},
    {"conv_times_channel", fuse_conv_affine,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[4,3,3,3], %w_s: float32[4,1,1]) -> (%y) {
  %c: float32[1,4,4,4] = Conv(%x, %w_k)
  %y: float32[1,4,4,4] = Mul(%w_s, %c)
})",
     "Conv 1"},
    {"conv_minus_number", fuse_conv_affine,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[4,3,3,3], %w_s: float32[]) -> (%y) {
  %c: float32[1,4,4,4] = Conv(%x, %w_k)
  %y: float32[1,4,4,4] = Sub(%c, %w_s)
})",
     "Conv 1"},
    {"number_minus_conv", fuse_conv_affine,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[4,3,3,3], %w_s: float32[]) -> (%y) {
  %c: float32[1,4,4,4] = Conv(%x, %w_k)
  %y: float32[1,4,4,4] = Sub(%w_s, %c)
})",
     "unchanged"},
    {"conv_plus_column", fuse_conv_affine,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[4,3,3,3], %w_s: float32[4]) -> (%y) {
  %c: float32[1,4,4,4] = Conv(%x, %w_k)
  %y: float32[1,4,4,4] = Add(%c, %w_s)
})",
     "unchanged"},
    {"integer_conv_batch_normalisation", fuse_quantized_affine,
     R"(graph %g(%x: float32[1,2,3,3]) -> (%y) {
  %q: int8[2,2,1,1] = {1, -2, 3, 4}
  %t: float32[] = {0.5}
  %s: float32[2] = {2.0, -0.5}
  %b: float32[2] = {0.25, -1.0}
  %m: float32[2] = {0.5, 0.0}
  %v: float32[2] = {1.0, 4.0}
  %w: float32[2,2,1,1] = DequantizeLinear(%q, %t)
  %a: float32[1,2,3,3] = Conv(%x, %w)
  %y: float32[1,2,3,3] = BatchNormalization(%a, %s, %b, %m, %v)
})",
     "Conv 1, DequantizeLinear 1"},
    {"integer_conv_batch_normalisation_with_zero", fuse_quantized_affine,
     R"(graph %g(%x: float32[1,2,3,3]) -> (%y) {
  %q: int8[2,2,1,1] = {1, -2, 3, 4}
  %t: float32[2] = {0.5, 0.25}
  %s: float32[2] = {2.0, 0.0}
  %b: float32[2] = {0.25, -1.0}
  %m: float32[2] = {0.5, 0.0}
  %v: float32[2] = {1.0, 4.0}
  %w: float32[2,2,1,1] = DequantizeLinear(%q, %t) {axis=0}
  %a: float32[1,2,3,3] = Conv(%x, %w)
  %y: float32[1,2,3,3] = BatchNormalization(%a, %s, %b, %m, %v)
})",
     "unchanged"},
    {"conv_used_twice", fuse_conv_affine,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[4,3,3,3], %w_s: float32[]) -> (%y, %c) {
  %c: float32[1,4,4,4] = Conv(%x, %w_k)
  %y: float32[1,4,4,4] = Add(%c, %w_s)
})",
     "unchanged"},
    {"gemm_affine", fuse_gemm_affine,
     R"(graph %g(%x: float32[2,3], %w_k: float32[4,3], %w_b: float32[4], %w_s: float32[4]) -> (%y) {
  %c: float32[2,4] = Gemm(%x, %w_k, %w_b) {alpha=0.5, beta=2.0, transB=1}
  %y: float32[2,4] = Mul(%c, %w_s)
})",
     "Gemm 1"},
    {"gemm_batch_normalisation", fuse_gemm_affine,
     R"(graph %g(%x: float32[2,3], %w_k: float32[3,4], %w_g: float32[4], %w_b: float32[4], %w_m: float32[4], %w_var: float32[4]) -> (%y) {
  %c: float32[2,4] = Gemm(%x, %w_k)
  %y: float32[2,4] = BatchNormalization(%c, %w_g, %w_b, %w_m, %w_var)
})",
     "Gemm 1"},
    {"matmul_scale", fuse_gemm_affine,
     R"(graph %g(%x: float32[2,5,3], %w_k: float32[3,4], %w_s: float32[]) -> (%y) {
  %c: float32[2,5,4] = MatMul(%x, %w_k)
  %y: float32[2,5,4] = Div(%c, %w_s)
})",
     "MatMul 1"},
    {"matmul_row_scale", fuse_gemm_affine,
     R"(graph %g(%x: float32[4,3], %w_k: float32[3,4], %w_s: float32[4,1]) -> (%y) {
  %c: float32[4,4] = MatMul(%x, %w_k)
  %y: float32[4,4] = Mul(%c, %w_s)
})",
     "unchanged"},
    {"matmul_add", fuse_matmul_add,
     R"(graph %g(%x: float32[2,3], %z: float32[3,4], %w_b: float32[4]) -> (%y) {
  %c: float32[2,4] = MatMul(%x, %z)
  %y: float32[2,4] = Add(%w_b, %c)
})",
     "Gemm 1"},
    {"matmul_add_that_broadcasts", fuse_matmul_add,
     R"(graph %g(%x: float32[1,3], %z: float32[3,4], %w_b: float32[5,4]) -> (%y) {
  %c: float32[1,4] = MatMul(%x, %z)
  %y: float32[5,4] = Add(%w_b, %c)
})",
     "unchanged"},
    {"matmul_add_of_stacks", fuse_matmul_add,
     R"(graph %g(%x: float32[2,2,3], %z: float32[3,4], %w_b: float32[4]) -> (%y) {
  %c: float32[2,2,4] = MatMul(%x, %z)
  %y: float32[2,2,4] = Add(%c, %w_b)
})",
     "unchanged"},
    {"gemm_transposes", fuse_gemm_transposes,
     R"(graph %g(%x: float32[3,2], %z: float32[4,3]) -> (%y) {
  %a: float32[2,3] = Transpose(%x)
  %b: float32[3,4] = Transpose(%z) {perm=[1, 0]}
  %y: float32[2,4] = MatMul(%a, %b)
})",
     "Gemm 1"},
    {"pad_conv", fuse_pad,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[4,3,3,3]) -> (%y) {
  %p: int64[8] = {0, 0, 1, 2, 0, 0, 0, 1}
  %a: float32[1,3,7,9] = Pad(%x, %p)
  %y: float32[1,4,7,9] = Conv(%a, %w_k) {pads=[1, 1, 1, 1]}
})",
     "Conv 1"},
    {"pad_conv_with_axes", fuse_pad,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[4,3,3,3]) -> (%y) {
  %p: int64[2] = {1, 0}
  %z: float32[] = {0.0}
  %k: int64[1] = {-1}
  %a: float32[1,3,6,7] = Pad(%x, %p, %z, %k)
  %y: float32[1,4,4,5] = Conv(%a, %w_k)
})",
     "Conv 1"},
    {"pad_with_ones", fuse_pad,
     R"(graph %g(%x: float32[1,3,6,6], %w_k: float32[4,3,3,3]) -> (%y) {
  %p: int64[8] = {0, 0, 1, 1, 0, 0, 1, 1}
  %o: float32[] = {1.0}
  %a: float32[1,3,8,8] = Pad(%x, %p, %o)
  %y: float32[1,4,6,6] = Conv(%a, %w_k)
})",
     "unchanged"},
    {"pad_average_pool", fuse_pad,
     R"(graph %g(%x: float32[1,3,6,6]) -> (%y) {
  %p: int64[8] = {0, 0, 1, 1, 0, 0, 1, 1}
  %a: float32[1,3,8,8] = Pad(%x, %p)
  %y: float32[1,3,6,6] = AveragePool(%a) {count_include_pad=1, kernel_shape=[3, 3]}
})",
     "AveragePool 1"},
    {"pad_average_pool_without_padding", fuse_pad,
     R"(graph %g(%x: float32[1,3,6,6]) -> (%y) {
  %p: int64[8] = {0, 0, 1, 1, 0, 0, 1, 1}
  %a: float32[1,3,8,8] = Pad(%x, %p)
  %y: float32[1,3,6,6] = AveragePool(%a) {kernel_shape=[3, 3]}
})",
     "unchanged"},
    {"pad_max_pool_with_zeros", fuse_pad,
     R"(graph %g(%x: float32[1,3,6,6]) -> (%y) {
  %p: int64[8] = {0, 0, 1, 1, 0, 0, 1, 1}
  %a: float32[1,3,8,8] = Pad(%x, %p)
  %y: float32[1,3,6,6] = MaxPool(%a) {kernel_shape=[3, 3]}
})",
     "unchanged"},
    {"pad_max_pool_of_positive_parts_with_zeros", fuse_pad,
     R"(graph %g(%x: float32[1,3,6,6]) -> (%y) {
  %p: int64[8] = {0, 0, 0, 0, 0, 0, 1, 1}
  %r: float32[1,3,6,6] = Relu(%x)
  %s: float32[1,3,6,6] = Sigmoid(%x)
  %c: float32[1,6,6,6] = Concat(%r, %s) {axis=1}
  %a: float32[1,6,7,7] = Pad(%c, %p)
  %y: float32[1,6,3,3] = MaxPool(%a) {kernel_shape=[3, 3], strides=[2, 2]}
})",
     "Concat 1, MaxPool 1, Relu 1, Sigmoid 1"},
    {"pad_dilated_max_pool_with_zeros", fuse_pad,
     R"(graph %g(%x: float32[1,3,6,6]) -> (%y) {
  %p: int64[8] = {0, 0, 2, 2, 0, 0, 0, 0}
  %r: float32[1,3,6,6] = Relu(%x)
  %a: float32[1,3,8,8] = Pad(%r, %p)
  %y: float32[1,3,2,2] = MaxPool(%a) {dilations=[3, 3], kernel_shape=[3, 3]}
})",
     "unchanged"},
    {"constant_factors", fuse_constant_factors,
     R"(graph %g(%x: float32[2,3,4], %w_v: float32[4]) -> (%y) {
  %c: float32[] = {3.0}
  %a: float32[2,3,4] = Mul(%w_v, %x)
  %y: float32[2,3,4] = Div(%a, %c)
})",
     "Mul 1"},
    {"constant_addends", fuse_constant_factors,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %c: float32[] = {3.0}
  %d: float32[] = {0.5}
  %a: float32[2,3,4] = Add(%c, %x)
  %y: float32[2,3,4] = Add(%a, %d)
})",
     "Add 1"},
    {"addends_that_cancel", fuse_constant_factors,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %c: float32[] = {30000000.0}
  %a: float32[2,3,4] = Add(%c, %x)
  %y: float32[2,3,4] = Sub(%a, %c)
})",
     "unchanged"},
    {"factor_and_addend", fuse_constant_factors,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %c: float32[] = {3.0}
  %a: float32[2,3,4] = Add(%c, %x)
  %y: float32[2,3,4] = Mul(%a, %c)
})",
     "unchanged"},
    {"factors_that_underflow", fuse_constant_factors,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %c: float32[] = {1e-30}
  %a: float32[2,3,4] = Mul(%x, %c)
  %y: float32[2,3,4] = Mul(%a, %c)
})",
     "unchanged"},
    {"slices_to_split", fuse_slices_to_split,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %z: int64[1] = {0}
  %o: int64[1] = {2}
  %m: int64[1] = {9}
  %k: int64[1] = {2}
  %a: float32[2,3,2] = Slice(%x, %o, %m, %k)
  %b: float32[2,3,2] = Slice(%x, %z, %o, %k)
  %y: float32[2,3,2] = Sub(%a, %b)
})",
     "Split 1, Sub 1"},
    {"slices_that_overlap", fuse_slices_to_split,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %z: int64[1] = {0}
  %i: int64[1] = {1}
  %t: int64[1] = {3}
  %m: int64[1] = {9}
  %k: int64[1] = {2}
  %a: float32[2,3,3] = Slice(%x, %i, %m, %k)
  %b: float32[2,3,3] = Slice(%x, %z, %t, %k)
  %y: float32[2,3,3] = Sub(%a, %b)
})",
     "unchanged"},
    {"split_squeeze", rewrite_split_squeeze,
     R"(graph %g(%x: float32[2,3]) -> (%y) {
  %k: int64[1] = {0}
  %a: float32[1,3], %b: float32[1,3] = Split(%x) {axis=0, num_outputs=2}
  %c: float32[3] = Squeeze(%a, %k)
  %d: float32[3] = Squeeze(%b, %k)
  %y: float32[3] = Sub(%c, %d)
})",
     "Gather 2, Sub 1"},
    {"split_used_otherwise", rewrite_split_squeeze,
     R"(graph %g(%x: float32[2,3]) -> (%y) {
  %k: int64[1] = {0}
  %a: float32[1,3], %b: float32[1,3] = Split(%x) {axis=0, num_outputs=2}
  %c: float32[3] = Squeeze(%a, %k)
  %y: float32[1,3] = Sub(%c, %b)
})",
     "unchanged"},
    {"transposed_sum", rewrite_transposed_operands,
     R"(graph %g(%x: float32[2,3,4], %z: float32[2,3,4], %w_c: float32[3,2]) -> (%y) {
  %a: float32[4,3,2] = Transpose(%x)
  %b: float32[4,3,2] = Transpose(%z) {perm=[2, 1, 0]}
  %c: float32[4,3,2] = Add(%a, %b)
  %y: float32[4,3,2] = Exp(%c)
})",
     "Add 1, Exp 1, Transpose 1"},
    {"transposed_chain", rewrite_transposed_operands,
     R"(graph %g(%x: float32[2,3,4], %w_c: float32[2,3]) -> (%y) {
  %a: float32[4,2,3] = Transpose(%x) {perm=[2, 0, 1]}
  %b: float32[4,2,3] = Mul(%a, %w_c)
  %y: float32[2,3,4] = Transpose(%b) {perm=[1, 2, 0]}
})",
     "Mul 1, Transpose 3"},
    {"transposed_once", rewrite_transposed_operands,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %a: float32[4,2,3] = Transpose(%x) {perm=[2, 0, 1]}
  %y: float32[4,2,3] = Exp(%a)
})",
     "unchanged"},
    {"transposed_concat", rewrite_transposed_concat,
     R"(graph %g(%x: float32[2,3,4], %z: float32[2,3,5]) -> (%y) {
  %a: float32[4,2,3] = Transpose(%x) {perm=[2, 0, 1]}
  %b: float32[5,2,3] = Transpose(%z) {perm=[2, 0, 1]}
  %y: float32[9,2,3] = Concat(%a, %b) {axis=0}
})",
     "Concat 1, Transpose 1"},
    {"transposed_reduction", fuse_transpose_reduce,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %k: int64[1] = {0}
  %a: float32[4,2,3] = Transpose(%x) {perm=[2, 0, 1]}
  %y: float32[2,3] = ReduceSum(%a, %k) {keepdims=0}
})",
     "ReduceSum 1"},
    {"transposed_reduction_in_another_order", fuse_transpose_reduce,
     R"(graph %g(%x: float32[2,3,4]) -> (%y) {
  %k: int64[1] = {0}
  %a: float32[4,3,2] = Transpose(%x) {perm=[2, 1, 0]}
  %y: float32[3,2] = ReduceSum(%a, %k) {keepdims=0}
})",
     "unchanged"},
    {"transpose_of_ones_beside_reshape", rewrite_transpose_to_reshape,
     R"(graph %g(%x: float32[3,1,4]) -> (%y) {
  %s: int64[2] = {1, 12}
  %a: float32[1,3,4] = Transpose(%x) {perm=[1, 0, 2]}
  %y: float32[1,12] = Reshape(%a, %s)
})",
     "Reshape 2"},
    {"splits", fuse_splits,
     R"(graph %g(%x: float32[2,6]) -> (%y) {
  %s: int64[2] = {2, 4}
  %a: float32[2,2], %b: float32[2,4] = Split(%x, %s) {axis=1}
  %c: float32[2,2], %d: float32[2,2] = Split(%b) {axis=-1, num_outputs=2}
  %e: float32[2,2] = Sub(%a, %c)
  %y: float32[2,2] = Div(%e, %d)
})",
     "Div 1, Split 1, Sub 1"},
    {"attention_of_groups", fuse_attention,
     R"(graph %g(%q: float32[1,4,3,2], %k: float32[1,2,5,2], %v: float32[1,2,5,2], %m: float32[1,1,3,5]) -> (%y) {
  %a: int64[1] = {2}
  %r: int64[5] = {1, 2, 2, 5, 2}
  %s: int64[4] = {1, 4, 5, 2}
  %c: float32[] = {0.5}
  %k1: float32[1,2,1,5,2] = Unsqueeze(%k, %a)
  %k2: float32[1,2,2,5,2] = Expand(%k1, %r)
  %k3: float32[1,4,5,2] = Reshape(%k2, %s)
  %v1: float32[1,2,1,5,2] = Unsqueeze(%v, %a)
  %v2: float32[1,2,2,5,2] = Expand(%v1, %r)
  %v3: float32[1,4,5,2] = Reshape(%v2, %s)
  %t: float32[1,4,2,5] = Transpose(%k3) {perm=[0, 1, 3, 2]}
  %p: float32[1,4,3,5] = MatMul(%q, %t)
  %u: float32[1,4,3,5] = Mul(%p, %c)
  %w: float32[1,4,3,5] = Add(%u, %m)
  %z: float32[1,4,3,5] = Softmax(%w)
  %y: float32[1,4,3,2] = MatMul(%z, %v3)
})",
     "Attention 1"},
    {"attention_with_another_axis", fuse_attention,
     R"(graph %g(%q: float32[1,4,3,2], %t: float32[1,4,2,5], %v: float32[1,4,5,2]) -> (%y) {
  %p: float32[1,4,3,5] = MatMul(%q, %t)
  %z: float32[1,4,3,5] = Softmax(%p) {axis=2}
  %y: float32[1,4,3,2] = MatMul(%z, %v)
})",
     "unchanged"},
    {"detection_heads", fuse_detection_heads,
     R"(graph %g(%x: float32[1,3,4,4], %z: float32[1,5,4,4], %u: float32[1,3,2,2], %w_a: float32[4,3,1,1], %w_b: float32[4], %w_c: float32[6,5,1,1], %w_d: float32[6], %w_e: float32[2,3,1,1], %w_f: float32[2], %w_g: float32[3,3,1,1], %w_h: float32[3]) -> (%y, %v) {
  %s: int64[3] = {1, -1, 2}
  %t: int64[3] = {1, -1, 3}
  %a: float32[1,4,4,4] = Conv(%x, %w_a, %w_b)
  %b: float32[1,4,4,4] = Transpose(%a) {perm=[0, 2, 3, 1]}
  %c: float32[1,32,2] = Reshape(%b, %s)
  %d: float32[1,6,4,4] = Conv(%z, %w_c, %w_d)
  %e: float32[1,4,4,6] = Transpose(%d) {perm=[0, 2, 3, 1]}
  %f: float32[1,32,3] = Reshape(%e, %t)
  %g: float32[1,2,2,2] = Conv(%u, %w_e, %w_f)
  %h: float32[1,2,2,2] = Transpose(%g) {perm=[0, 2, 3, 1]}
  %i: float32[1,4,2] = Reshape(%h, %s)
  %j: float32[1,3,2,2] = Conv(%u, %w_g, %w_h)
  %k: float32[1,2,2,3] = Transpose(%j) {perm=[0, 2, 3, 1]}
  %l: float32[1,4,3] = Reshape(%k, %t)
  %m: float32[1,36,2] = Concat(%c, %i) {axis=1}
  %y: float32[1,36,2] = Exp(%m)
  %n: float32[1,36,3] = Concat(%f, %l) {axis=1}
  %v: float32[1,36,3] = Neg(%n)
})",
     "Concat 2, Conv 2, Exp 1, Neg 1, Reshape 2, Split 1, Transpose 2"},
    {"mean_over_image", rewrite_reduce_mean,
     R"(graph %g(%x: float32[1,3,6,6]) -> (%y) {
  %k: int64[2] = {3, -2}
  %y: float32[1,3,1,1] = ReduceMean(%x, %k)
})",
     "GlobalAveragePool 1"},
    {"mean_over_channels", rewrite_reduce_mean,
     R"(graph %g(%x: float32[1,3,6,6]) -> (%y) {
  %k: int64[2] = {1, 2}
  %y: float32[1,1,1,6] = ReduceMean(%x, %k)
})",
     "unchanged"},
};

class FuseTest : public testing::TestWithParam<PassCase> {};
TEST_P(FuseTest, RewritesAndKeepsNumbers) { EXPECT_EQ(check_pass(GetParam()), ""); }
INSTANTIATE_TEST_SUITE_P(Passes, FuseTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace edgewright
