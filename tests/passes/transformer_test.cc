// Fusions into the operators of transformers and of ONNX Runtime: done, and with the same numbers.
#include <gtest/gtest.h>

#include "pass_case.h"
#include "passes/passes.h"

namespace edgewright {
namespace {

const PassOptions kOrt{.dialect = Dialect::kOrt, .target_opset = 12};

const PassCase kCases[] = {
    {"gelu", fuse_gelu,
     R"(graph %g(%x: float32[2,3]) -> (%y) {
  %r: float32[] = {1.4142135}
  %one: float32[] = {1.0}
  %half: float32[] = {0.5}
  %d: ? = Div(%x, %r)
  %e: ? = Erf(%d)
  %a: ? = Add(%e, %one)
  %m: ? = Mul(%x, %a)
  %y: ? = Mul(%m, %half)
})",
     "Gelu 1"},
    {"gelu_for_ort", fuse_gelu,
     R"(graph %g(%x: float32[2,3]) -> (%y) {
  %r: float32[] = {1.4142135}
  %one: float32[] = {1.0}
  %half: float32[] = {0.5}
  %d: ? = Div(%x, %r)
  %e: ? = Erf(%d)
  %a: ? = Add(%e, %one)
  %m: ? = Mul(%x, %a)
  %y: ? = Mul(%m, %half)
})",
     "com.microsoft::Gelu 1", 1e-5, kOrt},
    {"gelu_by_tanh", fuse_gelu,
     R"(graph %g(%x: float32[2,3]) -> (%y) {
  %three: float32[] = {3.0}
  %k: float32[] = {0.044715}
  %s: float32[] = {0.7978846}
  %one: float32[] = {1.0}
  %half: float32[] = {0.5}
  %p: ? = Pow(%x, %three)
  %q: ? = Mul(%k, %p)
  %r: ? = Add(%x, %q)
  %t: ? = Mul(%r, %s)
  %u: ? = Tanh(%t)
  %a: ? = Add(%one, %u)
  %m: ? = Mul(%half, %x)
  %y: ? = Mul(%m, %a)
})",
     "Gelu 1"},
    {"gelu_by_tanh_for_ort", fuse_gelu,
     R"(graph %g(%x: float32[2,3]) -> (%y) {
  %three: float32[] = {3.0}
  %k: float32[] = {0.044715}
  %s: float32[] = {0.7978846}
  %one: float32[] = {1.0}
  %half: float32[] = {0.5}
  %p: ? = Pow(%x, %three)
  %q: ? = Mul(%k, %p)
  %r: ? = Add(%x, %q)
  %t: ? = Mul(%r, %s)
  %u: ? = Tanh(%t)
  %a: ? = Add(%one, %u)
  %m: ? = Mul(%half, %x)
  %y: ? = Mul(%m, %a)
})",
     "com.microsoft::FastGelu 1", 1e-5, kOrt},
    {"swish", fuse_quick_gelu,
     R"(graph %g(%x: float32[2,3]) -> (%y) {
  %c: float32[] = {1.702}
  %m: ? = Mul(%x, %c)
  %s: ? = Sigmoid(%m)
  %y: ? = Mul(%s, %x)
})",
     "Swish 1"},
    {"quick_gelu", fuse_quick_gelu,
     R"(graph %g(%x: float32[2,3]) -> (%y) {
  %c: float32[] = {1.702}
  %m: ? = Mul(%x, %c)
  %s: ? = Sigmoid(%m)
  %y: ? = Mul(%s, %x)
})",
     "com.microsoft::QuickGelu 1", 1e-5, kOrt},
    {"bias_biasgelu", fuse_bias_gelu,
     R"(graph %g(%x: float32[2,3], %b: float32[3]) -> (%y) {
  %a: float32[2,3] = Add(%b, %x)
  %y: float32[2,3] = Gelu(%a)
})",
     "com.microsoft::BiasGelu 1", 1e-5, kOrt},
    {"bias_fastgelu", fuse_bias_gelu,
     R"(graph %g(%x: float32[2,3], %b: float32[3]) -> (%y) {
  %a: float32[2,3] = Add(%b, %x)
  %y: float32[2,3] = com.microsoft::FastGelu(%a)
})",
     "com.microsoft::FastGelu 1", 1e-5, kOrt},
    {"layer_normalization", fuse_layer_normalization,
     R"(graph %g(%x: float32[2,5,3], %w: float32[3], %b: float32[3]) -> (%y) {
  %axes: int64[1] = {-1}
  %two: float32[] = {2.0}
  %eps: float32[] = {0.01}
  %m: ? = ReduceMean(%x, %axes)
  %d: ? = Sub(%x, %m)
  %p: ? = Pow(%d, %two)
  %v: ? = ReduceMean(%p, %axes)
  %a: ? = Add(%v, %eps)
  %s: ? = Sqrt(%a)
  %n: ? = Div(%d, %s)
  %q: ? = Mul(%n, %w)
  %y: ? = Add(%q, %b)
})",
     "LayerNormalization 1"},
    {"layer_normalization_with_reciprocal", fuse_layer_normalization,
     R"(graph %g(%x: float32[2,5,3], %w: float32[3], %b: float32[3]) -> (%y) {
  %axes: int64[1] = {-1}
  %two: float32[] = {2.0}
  %eps: float32[] = {0.01}
  %m: ? = ReduceMean(%x, %axes)
  %d: ? = Sub(%x, %m)
  %p: ? = Pow(%d, %two)
  %v: ? = ReduceMean(%p, %axes)
  %a: ? = Add(%v, %eps)
  %s: ? = Sqrt(%a)
  %i: ? = Reciprocal(%s)
  %n: ? = Mul(%d, %i)
  %q: ? = Mul(%n, %w)
  %y: ? = Add(%q, %b)
})",
     "LayerNormalization 1"},
    {"rms_normalization", fuse_rms_normalization,
     R"(graph %g(%x: float32[2,5,3], %w: float32[3]) -> (%y) {
  %axes: int64[1] = {2}
  %two: float32[] = {2.0}
  %eps: float32[] = {0.01}
  %p: ? = Pow(%x, %two)
  %v: ? = ReduceMean(%p, %axes)
  %a: ? = Add(%v, %eps)
  %s: ? = Sqrt(%a)
  %n: ? = Div(%x, %s)
  %y: ? = Mul(%w, %n)
})",
     "RMSNormalization 1"},
    {"rms_normalization_for_ort", fuse_rms_normalization,
     R"(graph %g(%x: float32[2,5,3], %w: float32[3]) -> (%y) {
  %axes: int64[1] = {2}
  %two: float32[] = {2.0}
  %eps: float32[] = {0.01}
  %p: ? = Pow(%x, %two)
  %v: ? = ReduceMean(%p, %axes)
  %a: ? = Add(%v, %eps)
  %s: ? = Sqrt(%a)
  %n: ? = Div(%x, %s)
  %y: ? = Mul(%w, %n)
})",
     "SimplifiedLayerNormalization 1", 1e-5, kOrt},
    {"skip_layer_normalization", fuse_skip_layer_normalization,
     R"(graph %g(%x: float32[2,5,3], %z: float32[2,5,3], %c: float32[3], %w: float32[3], %b: float32[3]) -> (%y, %t) {
  %v: float32[2,5,3] = Add(%x, %c)
  %s: float32[2,5,3] = Add(%z, %v)
  %t: float32[2,5,3] = Neg(%s)
  %y: float32[2,5,3] = LayerNormalization(%s, %w, %b) {epsilon=0.01}
})",
     "Neg 1, com.microsoft::SkipLayerNormalization 1", 1e-5, kOrt},
    {"product_with_transposed_factors", fuse_matmul_transpose,
     R"(graph %g(%a: float32[4,2,5], %b: float32[2,6,4]) -> (%y) {
  %t: ? = Transpose(%a) {perm=[1, 2, 0]}
  %u: ? = Transpose(%b) {perm=[0, 2, 1]}
  %y: ? = MatMul(%t, %u)
})",
     "com.microsoft::FusedMatMul 1", 1e-5, kOrt},
    {"product_with_batch_inside", fuse_matmul_transpose,
     R"(graph %g(%a: float32[4,2,5], %b: float32[2,5,3]) -> (%y) {
  %t: ? = Transpose(%a) {perm=[1, 0, 2]}
  %y: ? = MatMul(%t, %b)
})",
     "com.microsoft::FusedMatMul 1", 1e-5, kOrt},
    {"scaled_product", fuse_matmul_scale,
     R"(graph %g(%a: float32[2,3], %b: float32[3,2]) -> (%y) {
  %two: float32[] = {2.0}
  %p: ? = MatMul(%a, %b)
  %y: ? = Div(%p, %two)
})",
     "com.microsoft::FusedMatMul 1", 1e-5, kOrt},
    {"conv_with_residual", fuse_conv_residual,
     R"(graph %g(%x: float32[1,2,4,4], %w_k: float32[3,2,3,3], %w_b: float32[3], %z: float32[1,3,2,2]) -> (%y) {
  %c: ? = Conv(%x, %w_k, %w_b)
  %y: ? = Add(%z, %c)
})",
     "com.microsoft::FusedConv 1", 1e-5, kOrt},
    {"conv_with_activation", fuse_activation,
     R"(graph %g(%x: float32[1,2,4,4], %w_k: float32[3,2,3,3]) -> (%y) {
  %low: float32[] = {-0.5}
  %high: float32[] = {0.5}
  %c: ? = Conv(%x, %w_k)
  %y: ? = Clip(%c, %low, %high)
})",
     "com.microsoft::FusedConv 1", 1e-5, kOrt},
    {"gemm_with_activation", fuse_activation,
     R"(graph %g(%x: float32[2,3], %w_k: float32[4,3]) -> (%y) {
  %c: ? = Gemm(%x, %w_k) {transB=1}
  %y: ? = LeakyRelu(%c) {alpha=0.3}
})",
     "com.microsoft::FusedGemm 1", 1e-5, kOrt},
    {"dynamically_quantised_product", fuse_dynamic_quantize_matmul,
     R"(graph %g(%a: float32[3,2], %b: uint8[2,3], %s: float32[1], %c: float32[3]) -> (%y) {
  %z: uint8[1] = {100}
  %q: ?, %as: ?, %az: ? = DynamicQuantizeLinear(%a)
  %i: ? = MatMulInteger(%q, %b, %az, %z)
  %f: ? = Cast(%i) {to=1}
  %m: ? = Mul(%as, %s)
  %p: ? = Mul(%f, %m)
  %y: ? = Add(%p, %c)
})",
     "com.microsoft::DynamicQuantizeMatMul 1", 1e-4, kOrt},
    {"integers_shared_by_two_products", fuse_dynamic_quantize_matmul,
     R"(graph %g(%a: float32[3,2], %b: uint8[2,3], %s: float32[1]) -> (%y, %q) {
  %q: ?, %as: ?, %az: ? = DynamicQuantizeLinear(%a)
  %i: ? = MatMulInteger(%q, %b, %az)
  %f: ? = Cast(%i) {to=1}
  %m: ? = Mul(%as, %s)
  %y: ? = Mul(%f, %m)
})",
     "DynamicQuantizeLinear 1, com.microsoft::MatMulIntegerToFloat 1", 1e-4, kOrt},
    {"attention_with_projections_and_mask", fuse_attention_projections,
     R"(graph %g(%x: float32[2,3,8], %w_q: float32[8,8], %w_k: float32[8,8], %w_v: float32[8,8], %mask: float32[2,1,1,3]) -> (%y) {
  %to: int64[4] = {0, 0, 2, 4}
  %back: int64[3] = {0, 0, 8}
  %c: float32[] = {2.0}
  %low: float32[] = {-10000.0}
  %lower: bool[1,1,3,3] = {1, 0, 0, 1, 1, 0, 1, 1, 1}
  %q0: ? = MatMul(%x, %w_q)
  %q1: ? = Reshape(%q0, %to)
  %q: ? = Transpose(%q1) {perm=[0, 2, 1, 3]}
  %k0: ? = MatMul(%x, %w_k)
  %k1: ? = Reshape(%k0, %to)
  %k: ? = Transpose(%k1) {perm=[0, 2, 3, 1]}
  %v0: ? = MatMul(%x, %w_v)
  %v1: ? = Reshape(%v0, %to)
  %v: ? = Transpose(%v1) {perm=[0, 2, 1, 3]}
  %qk: ? = MatMul(%q, %k)
  %s: ? = Div(%qk, %c)
  %m: ? = Add(%s, %mask)
  %p: ? = Softmax(%m)
  %o: ? = MatMul(%p, %v)
  %t: ? = Transpose(%o) {perm=[0, 2, 1, 3]}
  %y: ? = Reshape(%t, %back)
})",
     "Expand 1, com.microsoft::Attention 1", 1e-5, kOrt},
    {"attention_with_projections_and_triangle", fuse_attention_projections,
     R"(graph %g(%x: float32[2,3,8], %w_q: float32[8,8], %w_k: float32[8,8], %w_v: float32[8,8]) -> (%y) {
  %to: int64[4] = {0, 0, 2, 4}
  %back: int64[3] = {0, 0, 8}
  %c: float32[] = {2.0}
  %low: float32[] = {-10000.0}
  %lower: bool[1,1,3,3] = {1, 0, 0, 1, 1, 0, 1, 1, 1}
  %q0: ? = MatMul(%x, %w_q)
  %q1: ? = Reshape(%q0, %to)
  %q: ? = Transpose(%q1) {perm=[0, 2, 1, 3]}
  %k0: ? = MatMul(%x, %w_k)
  %k1: ? = Reshape(%k0, %to)
  %k: ? = Transpose(%k1) {perm=[0, 2, 3, 1]}
  %v0: ? = MatMul(%x, %w_v)
  %v1: ? = Reshape(%v0, %to)
  %v: ? = Transpose(%v1) {perm=[0, 2, 1, 3]}
  %qk: ? = MatMul(%q, %k)
  %s: ? = Div(%qk, %c)
  %m: ? = Where(%lower, %s, %low)
  %p: ? = Softmax(%m)
  %o: ? = MatMul(%p, %v)
  %t: ? = Transpose(%o) {perm=[0, 2, 1, 3]}
  %y: ? = Reshape(%t, %back)
})",
     "com.microsoft::Attention 1", 1e-5, kOrt},
    {"attention_of_sequences", fuse_attention,
     R"(graph %g(%x: float32[2,3,8], %w_q: float32[8,8], %w_k: float32[8,8], %w_v: float32[8,8], %mask: float32[2,1,1,3]) -> (%y) {
  %to: int64[4] = {0, 0, 2, 4}
  %back: int64[3] = {0, 0, 8}
  %c: float32[] = {2.0}
  %low: float32[] = {-10000.0}
  %lower: bool[1,1,3,3] = {1, 0, 0, 1, 1, 0, 1, 1, 1}
  %q0: ? = MatMul(%x, %w_q)
  %q1: ? = Reshape(%q0, %to)
  %q: ? = Transpose(%q1) {perm=[0, 2, 1, 3]}
  %k0: ? = MatMul(%x, %w_k)
  %k1: ? = Reshape(%k0, %to)
  %k2: ? = Transpose(%k1) {perm=[0, 2, 1, 3]}
  %k: ? = Transpose(%k2) {perm=[0, 1, 3, 2]}
  %v0: ? = MatMul(%x, %w_v)
  %v1: ? = Reshape(%v0, %to)
  %v: ? = Transpose(%v1) {perm=[0, 2, 1, 3]}
  %qk: ? = MatMul(%q, %k)
  %s: ? = Div(%qk, %c)
  %m: ? = Add(%s, %mask)
  %p: ? = Softmax(%m)
  %o: ? = MatMul(%p, %v)
  %t: ? = Transpose(%o) {perm=[0, 2, 1, 3]}
  %y: ? = Reshape(%t, %back)
})",
     "Attention 1, MatMul 3"},
    {"attention_of_transposed_sequences", fuse_attention,
     R"(graph %g(%x: float32[2,3,8], %w_q: float32[8,8], %w_k: float32[8,8], %w_v: float32[8,8], %mask: float32[2,1,1,3]) -> (%y) {
  %to: int64[4] = {0, 0, 2, 4}
  %back: int64[3] = {0, 0, 8}
  %c: float32[] = {2.0}
  %low: float32[] = {-10000.0}
  %lower: bool[1,1,3,3] = {1, 0, 0, 1, 1, 0, 1, 1, 1}
  %q0: ? = MatMul(%x, %w_q)
  %q1: ? = Reshape(%q0, %to)
  %q: ? = Transpose(%q1) {perm=[0, 2, 1, 3]}
  %k0: ? = MatMul(%x, %w_k)
  %k1: ? = Reshape(%k0, %to)
  %k: ? = Transpose(%k1) {perm=[0, 2, 3, 1]}
  %v0: ? = MatMul(%x, %w_v)
  %v1: ? = Reshape(%v0, %to)
  %v: ? = Transpose(%v1) {perm=[0, 2, 1, 3]}
  %qk: ? = MatMul(%q, %k)
  %s: ? = Div(%qk, %c)
  %m: ? = Add(%s, %mask)
  %p: ? = Softmax(%m)
  %o: ? = MatMul(%p, %v)
  %t: ? = Transpose(%o) {perm=[0, 2, 1, 3]}
  %y: ? = Reshape(%t, %back)
})",
     "Attention 1, MatMul 3"},
    {"attention_of_transposed_keys", fuse_attention,
     R"(graph %g(%q: float32[2,4,3,2], %k: float32[2,4,2,5], %v: float32[2,4,5,2]) -> (%y) {
  %c: float32[] = {0.7}
  %qk: ? = MatMul(%q, %k)
  %s: ? = Mul(%qk, %c)
  %p: ? = Softmax(%s)
  %y: ? = MatMul(%p, %v)
})",
     "Attention 1, Transpose 1"},
    {"negative_scale", fuse_attention,
     R"(graph %g(%q: float32[2,4,3,2], %k: float32[2,4,2,5], %v: float32[2,4,5,2]) -> (%y) {
  %c: float32[] = {-0.7}
  %qk: ? = MatMul(%q, %k)
  %s: ? = Mul(%qk, %c)
  %p: ? = Softmax(%s)
  %y: ? = MatMul(%p, %v)
})",
     "unchanged"},
    {"attention_with_triangle", fuse_attention,
     R"(graph %g(%x: float32[2,3,8], %w_q: float32[8,8], %w_k: float32[8,8], %w_v: float32[8,8]) -> (%y) {
  %to: int64[4] = {0, 0, 2, 4}
  %back: int64[3] = {0, 0, 8}
  %c: float32[] = {2.0}
  %low: float32[] = {-10000.0}
  %lower: bool[1,1,3,3] = {1, 0, 0, 1, 1, 0, 1, 1, 1}
  %q0: ? = MatMul(%x, %w_q)
  %q1: ? = Reshape(%q0, %to)
  %q: ? = Transpose(%q1) {perm=[0, 2, 1, 3]}
  %k0: ? = MatMul(%x, %w_k)
  %k1: ? = Reshape(%k0, %to)
  %k2: ? = Transpose(%k1) {perm=[0, 2, 1, 3]}
  %k: ? = Transpose(%k2) {perm=[0, 1, 3, 2]}
  %v0: ? = MatMul(%x, %w_v)
  %v1: ? = Reshape(%v0, %to)
  %v: ? = Transpose(%v1) {perm=[0, 2, 1, 3]}
  %qk: ? = MatMul(%q, %k)
  %s: ? = Div(%qk, %c)
  %m: ? = Where(%lower, %s, %low)
  %p: ? = Softmax(%m)
  %o: ? = MatMul(%p, %v)
  %t: ? = Transpose(%o) {perm=[0, 2, 1, 3]}
  %y: ? = Reshape(%t, %back)
})",
     "Attention 1, MatMul 3"},
    {"attention_of_packed_projections", fuse_attention,
     R"(graph %g(%x: float32[2,3,8], %w_a: float32[8,24]) -> (%y) {
  %to: int64[4] = {0, 0, 2, 4}
  %back: int64[3] = {0, 0, 8}
  %c: float32[] = {2.0}
  %low: float32[] = {-10000.0}
  %lower: bool[1,1,3,3] = {1, 0, 0, 1, 1, 0, 1, 1, 1}
  %five: int64[5] = {0, 0, 3, 2, 4}
  %zero: int64[1] = {0}
  %a: ? = MatMul(%x, %w_a)
  %b: ? = Reshape(%a, %five)
  %e: ? = Transpose(%b) {perm=[2, 0, 3, 1, 4]}
  %q3: ?, %k3: ?, %v3: ? = Split(%e) {axis=0, num_outputs=3}
  %q: ? = Squeeze(%q3, %zero)
  %k4: ? = Squeeze(%k3, %zero)
  %v: ? = Squeeze(%v3, %zero)
  %k: ? = Transpose(%k4) {perm=[0, 1, 3, 2]}
  %qk: ? = MatMul(%q, %k)
  %s: ? = Div(%qk, %c)
  %p: ? = Softmax(%s)
  %o: ? = MatMul(%p, %v)
  %t: ? = Transpose(%o) {perm=[0, 2, 1, 3]}
  %y: ? = Reshape(%t, %back)
})",
     "Attention 1, MatMul 1, Split 1"},
    {"attention_of_groups_with_past", fuse_attention,
     R"(graph %g(%q: float32[2,4,3,2], %past_k: float32[2,2,5,2], %past_v: float32[2,2,5,2], %k: float32[2,2,3,2], %v: float32[2,2,3,2], %mask: float32[3,8]) -> (%y, %keys, %values) {
  %c: float32[] = {0.7}
  %axis: int64[1] = {2}
  %groups: int64[5] = {2, 2, 2, 8, 2}
  %all: int64[4] = {2, 4, 8, 2}
  %keys: ? = Concat(%past_k, %k) {axis=2}
  %values: ? = Concat(%past_v, %v) {axis=-2}
  %k1: ? = Unsqueeze(%keys, %axis)
  %k2: ? = Expand(%k1, %groups)
  %k3: ? = Reshape(%k2, %all)
  %k4: ? = Transpose(%k3) {perm=[0, 1, 3, 2]}
  %v1: ? = Unsqueeze(%values, %axis)
  %v2: ? = Expand(%v1, %groups)
  %v3: ? = Reshape(%v2, %all)
  %qk: ? = MatMul(%q, %k4)
  %s: ? = Mul(%qk, %c)
  %m: ? = Add(%s, %mask)
  %p: ? = Softmax(%m)
  %y: ? = MatMul(%p, %v3)
})",
     "Attention 1"},
    {"probabilities_that_are_wanted", fuse_attention,
     R"(graph %g(%q: float32[2,4,3,2], %past_k: float32[2,2,5,2], %past_v: float32[2,2,5,2], %k: float32[2,2,3,2], %v: float32[2,2,3,2], %mask: float32[3,8]) -> (%y, %keys, %values, %p) {
  %c: float32[] = {0.7}
  %axis: int64[1] = {2}
  %groups: int64[5] = {2, 2, 2, 8, 2}
  %all: int64[4] = {2, 4, 8, 2}
  %keys: ? = Concat(%past_k, %k) {axis=2}
  %values: ? = Concat(%past_v, %v) {axis=-2}
  %k1: ? = Unsqueeze(%keys, %axis)
  %k2: ? = Expand(%k1, %groups)
  %k3: ? = Reshape(%k2, %all)
  %k4: ? = Transpose(%k3) {perm=[0, 1, 3, 2]}
  %v1: ? = Unsqueeze(%values, %axis)
  %v2: ? = Expand(%v1, %groups)
  %v3: ? = Reshape(%v2, %all)
  %qk: ? = MatMul(%q, %k4)
  %s: ? = Mul(%qk, %c)
  %m: ? = Add(%s, %mask)
  %p: ? = Softmax(%m)
  %y: ? = MatMul(%p, %v3)
})",
     "unchanged"},
    {"rotary_embedding", fuse_rotary_embedding,
     R"(graph %g(%x: float32[2,2,3,4], %f: float32[2,3,2]) -> (%y) {
  %zero: int64[1] = {0}
  %middle: int64[1] = {2}
  %end: int64[1] = {9223372036854775807}
  %last: int64[1] = {3}
  %one: int64[1] = {1}
  %ff: ? = Concat(%f, %f) {axis=-1}
  %u: ? = Unsqueeze(%ff, %one)
  %c: ? = Cos(%u)
  %s: ? = Sin(%u)
  %a: ? = Slice(%x, %zero, %middle, %last)
  %b: ? = Slice(%x, %middle, %end, %last)
  %n: ? = Neg(%b)
  %r: ? = Concat(%n, %a) {axis=-1}
  %xc: ? = Mul(%x, %c)
  %rs: ? = Mul(%r, %s)
  %y: ? = Add(%xc, %rs)
})",
     "Cos 1, RotaryEmbedding 1, Sin 1"},
    {"rotation_cut_off_the_middle", fuse_rotary_embedding,
     R"(graph %g(%x: float32[2,2,3,4], %f: float32[2,3,2]) -> (%y) {
  %zero: int64[1] = {0}
  %middle: int64[1] = {1}
  %end: int64[1] = {9223372036854775807}
  %last: int64[1] = {3}
  %one: int64[1] = {1}
  %ff: ? = Concat(%f, %f) {axis=-1}
  %u: ? = Unsqueeze(%ff, %one)
  %c: ? = Cos(%u)
  %s: ? = Sin(%u)
  %a: ? = Slice(%x, %zero, %middle, %last)
  %b: ? = Slice(%x, %middle, %end, %last)
  %n: ? = Neg(%b)
  %r: ? = Concat(%n, %a) {axis=-1}
  %xc: ? = Mul(%x, %c)
  %rs: ? = Mul(%r, %s)
  %y: ? = Add(%xc, %rs)
})",
     "unchanged"},
    {"gemm_between_reshapes", rewrite_flattened_gemm,
     R"(graph %g(%x: float32[2,3,2,2], %w_a: float32[4,5], %w_b: float32[5]) -> (%y) {
  %flat: int64[2] = {-1, 4}
  %back: int64[3] = {2, 3, 5}
  %f: ? = Reshape(%x, %flat)
  %p: ? = Gemm(%f, %w_a, %w_b)
  %y: ? = Reshape(%p, %back)
})",
     "Add 1, MatMul 1, Reshape 1"},
    {"sum_into_gemm", fuse_gemm_sum,
     R"(graph %g(%a: float32[2,3], %b: float32[3,4], %c: float32[1,4]) -> (%y) {
  %p: ? = Gemm(%a, %b) {alpha=0.5, beta=3.0}
  %y: ? = Sum(%p, %c)
})",
     "Gemm 1"},
    {"transposed_gemm", rewrite_transposed_gemm,
     R"(graph %g(%a: float32[3,2], %b: float32[3,4]) -> (%y) {
  %p: ? = Gemm(%a, %b) {transA=1}
  %y: ? = Transpose(%p)
})",
     "Gemm 1"},
    {"choice_that_always_goes_one_way", eliminate_uniform_where,
     R"(graph %g(%x: float32[2,3], %z: float32[2,3]) -> (%y) {
  %c: bool[1,1] = {1}
  %to: int64[2] = {2, 3}
  %e: ? = Expand(%c, %to)
  %n: ? = Neg(%x)
  %w: ? = Where(%e, %n, %z)
  %y: ? = Abs(%w)
})",
     "Abs 1, Neg 1"},
};

class TransformerTest : public testing::TestWithParam<PassCase> {};
TEST_P(TransformerTest, RewritesAndKeepsNumbers) { EXPECT_EQ(check_pass(GetParam()), ""); }
INSTANTIATE_TEST_SUITE_P(Passes, TransformerTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace edgewright
