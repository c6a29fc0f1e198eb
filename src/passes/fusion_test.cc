// One positive and one negative case for every fusion into a larger operator.
#include "passes/passes.h"
#include "passes/rewrite_check.h"

namespace edgewright {
namespace {

constexpr std::string_view kGelu = R"(graph %g(%x: float32[2,3]) -> (%y) {
  %r: float32[] = {1.4142135}
  %one: float32[] = {1.0}
  %half: float32[] = {0.5}
  %d: float32[2,3] = Div(%x, %r)
  %e: float32[2,3] = Erf(%d)
  %a: float32[2,3] = Add(%e, %one)
  %m: float32[2,3] = Mul(%x, %half)
  %y: float32[2,3] = Mul(%m, %a)
})";

TEST(FuseGelu, ErfForm) {
  expect_rewrite(fuse_gelu, kGelu,
                 "graph %g(%x: float32[2,3]) -> (%y) {\n"
                 "  %y: float32[2,3] = com.microsoft::Gelu(%x)\n}",
                 ort_options());
  expect_rewrite(fuse_gelu, kGelu,
                 "graph %g(%x: float32[2,3]) -> (%y) {\n  %y: float32[2,3] = Gelu(%x)\n}",
                 ort_options(20));
}

TEST(FuseGelu, NotBeforeTheOperatorExists) {
  expect_unchanged(fuse_gelu, kGelu, standard_options(19));
}

TEST(FuseGelu, NotWithAnotherDivisor) {
  std::string text(kGelu);
  text.replace(text.find("1.4142135"), 9, "1.5");
  expect_unchanged(fuse_gelu, text);
}

TEST(FuseGelu, TanhForm) {
  constexpr std::string_view kTanh = R"(graph %g(%x: float32[2,3]) -> (%y) {
  %three: float32[] = {3.0}
  %k: float32[] = {0.044714998}
  %s: float32[] = {0.7978846}
  %one: float32[] = {1.0}
  %half: float32[] = {0.5}
  %p: float32[2,3] = Pow(%x, %three)
  %q: float32[2,3] = Mul(%k, %p)
  %r: float32[2,3] = Add(%x, %q)
  %t: float32[2,3] = Mul(%r, %s)
  %u: float32[2,3] = Tanh(%t)
  %a: float32[2,3] = Add(%one, %u)
  %m: float32[2,3] = Mul(%half, %x)
  %y: float32[2,3] = Mul(%m, %a)
})";
  expect_rewrite(fuse_gelu, kTanh,
                 "graph %g(%x: float32[2,3]) -> (%y) {\n"
                 "  %y: float32[2,3] = com.microsoft::FastGelu(%x)\n}",
                 ort_options());
  expect_rewrite(fuse_gelu, kTanh,
                 "graph %g(%x: float32[2,3]) -> (%y) {\n"
                 "  %y: float32[2,3] = Gelu(%x) {approximate=\"tanh\"}\n}");
}

TEST(FuseQuickGelu, WithAndWithoutFactor) {
  constexpr std::string_view kSwish = R"(graph %g(%x: float32[2,3]) -> (%y) {
  %c: float32[] = {1.5}
  %m: float32[2,3] = Mul(%x, %c)
  %s: float32[2,3] = Sigmoid(%m)
  %y: float32[2,3] = Mul(%s, %x)
})";
  expect_rewrite(fuse_quick_gelu, kSwish,
                 "graph %g(%x: float32[2,3]) -> (%y) {\n"
                 "  %y: float32[2,3] = com.microsoft::QuickGelu(%x) {alpha=1.5}\n}",
                 ort_options());
  expect_rewrite(fuse_quick_gelu, kSwish,
                 "graph %g(%x: float32[2,3]) -> (%y) {\n"
                 "  %y: float32[2,3] = Swish(%x) {alpha=1.5}\n}");
  expect_unchanged(fuse_quick_gelu, kSwish, standard_options(23));
}

TEST(FuseBiasGelu, VectorAlongTheLastAxis) {
  const auto text = [](std::string_view bias) {
    return fmt::format(
        "graph %g(%x: float32[2,3], %b: float32[{}]) -> (%y) {{\n"
        "  %a: float32[2,3] = Add(%x, %b)\n  %y: float32[2,3] = Gelu(%a)\n}}",
        bias);
  };
  expect_rewrite(fuse_bias_gelu, text("3"),
                 "graph %g(%x: float32[2,3], %b: float32[3]) -> (%y) {\n"
                 "  %y: float32[2,3] = com.microsoft::BiasGelu(%x, %b)\n}",
                 ort_options());
  expect_unchanged(fuse_bias_gelu, text("1"), ort_options());
  expect_unchanged(fuse_bias_gelu, text("2,3"), ort_options());
}

std::string layer_norm(std::string_view axes, std::string_view scale) {
  return fmt::format(R"(graph %g(%x: float32[2,5,3], %w: float32[{1}], %b: float32[3]) -> (%y) {{
  %axes: int64[1] = {{{0}}}
  %two: float32[] = {{2.0}}
  %eps: float32[] = {{0.5}}
  %m: float32[2,5,1] = ReduceMean(%x, %axes)
  %d: float32[2,5,3] = Sub(%x, %m)
  %p: float32[2,5,3] = Pow(%d, %two)
  %v: float32[2,5,1] = ReduceMean(%p, %axes)
  %a: float32[2,5,1] = Add(%v, %eps)
  %s: float32[2,5,1] = Sqrt(%a)
  %n: float32[2,5,3] = Div(%d, %s)
  %q: float32[2,5,3] = Mul(%n, %w)
  %y: float32[2,5,3] = Add(%q, %b)
}})",
                     axes, scale);
}

TEST(FuseLayerNormalization, LastAxis) {
  expect_rewrite(fuse_layer_normalization, layer_norm("-1", "3"), R"(
graph %g(%x: float32[2,5,3], %w: float32[3], %b: float32[3]) -> (%y) {
  %y: float32[2,5,3] = LayerNormalization(%x, %w, %b) {axis=-1, epsilon=0.5}
})");
}

TEST(FuseLayerNormalization, ScaleOfAnotherShapeStaysOutside) {
  expect_rewrite(fuse_layer_normalization, layer_norm("-1", "1"), R"(
graph %g(%x: float32[2,5,3], %w: float32[1], %b: float32[3]) -> (%y) {
  %unit_scale: float32[3] = {1.0, 1.0, 1.0}
  %n: float32[2,5,3] = LayerNormalization(%x, %unit_scale) {axis=-1, epsilon=0.5}
  %q: float32[2,5,3] = Mul(%n, %w)
  %y: float32[2,5,3] = Add(%q, %b)
})");
}

TEST(FuseLayerNormalization, NotOverAMiddleAxisNorBeforeOpset17) {
  expect_unchanged(fuse_layer_normalization, layer_norm("1", "3"));
  expect_unchanged(fuse_layer_normalization, layer_norm("-1", "3"), standard_options(16));
}

constexpr std::string_view kRms = R"(graph %g(%h: float16[2,5,3], %w: float16[3]) -> (%y) {
  %axes: int64[1] = {-1}
  %eps: float32[] = {0.5}
  %x: float32[2,5,3] = Cast(%h) {to=1}
  %p: float32[2,5,3] = Mul(%x, %x)
  %v: float32[2,5,1] = ReduceMean(%p, %axes)
  %a: float32[2,5,1] = Add(%v, %eps)
  %s: float32[2,5,1] = Sqrt(%a)
  %r: float32[2,5,1] = Reciprocal(%s)
  %n: float32[2,5,3] = Mul(%x, %r)
  %c: float16[2,5,3] = Cast(%n) {to=10}
  %y: float16[2,5,3] = Mul(%w, %c)
})";

TEST(FuseRmsNormalization, TakesTheCastsIn) {
  expect_rewrite(fuse_rms_normalization, kRms, R"(
graph %g(%h: float16[2,5,3], %w: float16[3]) -> (%y) {
  %y: float16[2,5,3] = RMSNormalization(%h, %w) {axis=-1, epsilon=0.5}
})");
  expect_rewrite(fuse_rms_normalization, kRms, R"(
graph %g(%h: float16[2,5,3], %w: float16[3]) -> (%y) {
  %y: float16[2,5,3] = SimplifiedLayerNormalization(%h, %w) {axis=-1, epsilon=0.5}
})",
                 ort_options(17));
  expect_unchanged(fuse_rms_normalization, kRms, standard_options(22));
}

TEST(FuseSkipLayerNormalization, SumStaysVisible) {
  expect_rewrite(fuse_skip_layer_normalization, R"(
graph %g(%x: float32[2,5,3], %z: float32[2,5,3], %c: float32[3], %w: float32[3]) -> (%y, %t) {
  %v: float32[2,5,3] = Add(%x, %c)
  %s: float32[2,5,3] = Add(%z, %v)
  %t: float32[2,5,3] = Neg(%s)
  %y: float32[2,5,3] = LayerNormalization(%s, %w) {epsilon=0.5}
})",
                 R"(
graph %g(%x: float32[2,5,3], %z: float32[2,5,3], %c: float32[3], %w: float32[3]) -> (%y, %t) {
  %y: float32[2,5,3], _, _, %s: float32[2,5,3] = com.microsoft::SkipLayerNormalization(%z, %x, %w, _, %c) {epsilon=0.5}
  %t: float32[2,5,3] = Neg(%s)
})",
                 ort_options());
}

TEST(FuseSkipLayerNormalization, NotWithBroadcasting) {
  expect_unchanged(fuse_skip_layer_normalization, R"(
graph %g(%x: float32[2,5,3], %z: float32[1,5,3], %w: float32[3]) -> (%y) {
  %s: float32[2,5,3] = Add(%z, %x)
  %y: float32[2,5,3] = LayerNormalization(%s, %w)
})",
                   ort_options());
}

TEST(FuseMatmulTranspose, LastAxesBatchAxesAndCasts) {
  expect_rewrite(fuse_matmul_transpose, R"(
graph %g(%a: float32[4,2,5], %b: float16[2,6,4]) -> (%y) {
  %t: float32[2,5,4] = Transpose(%a) {perm=[1, 2, 0]}
  %u: float16[2,4,6] = Transpose(%b) {perm=[0, 2, 1]}
  %c: float32[2,4,6] = Cast(%u) {to=1}
  %y: float32[2,5,6] = MatMul(%t, %c)
})",
                 R"(
graph %g(%a: float32[4,2,5], %b: float16[2,6,4]) -> (%y) {
  %c_1: float32[2,6,4] = Cast(%b) {to=1}
  %y: float32[2,5,6] = com.microsoft::FusedMatMul(%a, %c_1) {transA=1, transB=1, transBatchA=1, transBatchB=0}
})",
                 ort_options());
}

TEST(FuseMatmulTranspose, NotForOtherPermutations) {
  expect_unchanged(fuse_matmul_transpose, R"(
graph %g(%a: float32[5,4,3,2], %b: float32[2,3,5,4]) -> (%y) {
  %t: float32[2,3,4,5] = Transpose(%a)
  %y: float32[2,3,4,4] = MatMul(%t, %b)
})",
                   ort_options());
}

TEST(FuseMatmulScale, FactorsOfInputsAndOutput) {
  expect_rewrite(fuse_matmul_scale, R"(
graph %g(%a: float32[2,3], %b: float32[3,2]) -> (%y) {
  %two: float32[] = {2.0}
  %four: float32[1] = {4.0}
  %s: float32[2,3] = Div(%a, %two)
  %p: float32[2,2] = MatMul(%s, %b)
  %y: float32[2,2] = Mul(%four, %p)
})",
                 R"(
graph %g(%a: float32[2,3], %b: float32[3,2]) -> (%y) {
  %y: float32[2,2] = com.microsoft::FusedMatMul(%a, %b) {alpha=2.0}
})",
                 ort_options());
}

TEST(FuseMatmulScale, NotForIntegersNorVectors) {
  expect_unchanged(fuse_matmul_scale, R"(
graph %g(%a: int32[2,3], %b: int32[3,2]) -> (%y) {
  %two: int32[] = {2}
  %p: int32[2,2] = MatMul(%a, %b)
  %y: int32[2,2] = Mul(%p, %two)
})",
                   ort_options());
  expect_unchanged(fuse_matmul_scale, R"(
graph %g(%a: float32[2,3], %b: float32[3,2]) -> (%y) {
  %c: float32[2] = {2.0, 3.0}
  %p: float32[2,2] = MatMul(%a, %b)
  %y: float32[2,2] = Mul(%p, %c)
})",
                   ort_options());
}

TEST(FuseActivation, ConvAndGemm) {
  expect_rewrite(fuse_activation, R"(
graph %g(%x: float32[1,2,4,4], %w: float32[2,2,1,1]) -> (%y) {
  %six: float32[] = {6.0}
  %c: float32[1,2,4,4] = Conv(%x, %w) {kernel_shape=[1, 1]}
  %y: float32[1,2,4,4] = Clip(%c, %six)
})",
                 R"(
graph %g(%x: float32[1,2,4,4], %w: float32[2,2,1,1]) -> (%y) {
  %y: float32[1,2,4,4] = com.microsoft::FusedConv(%x, %w) {activation="Clip", activation_params=[6.0, 3.4028235e+38], kernel_shape=[1, 1]}
})",
                 ort_options());
  expect_rewrite(fuse_activation, R"(
graph %g(%x: float32[2,2], %w: float32[2,2]) -> (%y) {
  %c: float32[2,2] = Gemm(%x, %w) {transB=1}
  %y: float32[2,2] = LeakyRelu(%c) {alpha=0.5}
})",
                 R"(
graph %g(%x: float32[2,2], %w: float32[2,2]) -> (%y) {
  %y: float32[2,2] = com.microsoft::FusedGemm(%x, %w) {activation="LeakyRelu", activation_alpha=0.5, transB=1}
})",
                 ort_options());
}

TEST(FuseActivation, NotWhenTheProductIsUsedElsewhere) {
  expect_unchanged(fuse_activation, R"(
graph %g(%x: float32[2,2], %w: float32[2,2]) -> (%y, %c) {
  %c: float32[2,2] = Gemm(%x, %w)
  %y: float32[2,2] = Relu(%c)
})",
                   ort_options());
}

TEST(FuseConvResidual, SameShapeOnly) {
  const auto text = [](std::string_view shape) {
    return fmt::format(
        "graph %g(%x: float32[1,2,4,4], %w: float32[2,2,1,1], %z: float32[{}]) -> (%y) {{\n"
        "  %c: float32[1,2,4,4] = Conv(%x, %w)\n  %y: float32[1,2,4,4] = Add(%z, %c)\n}}",
        shape);
  };
  expect_rewrite(fuse_conv_residual, text("1,2,4,4"), R"(
graph %g(%x: float32[1,2,4,4], %w: float32[2,2,1,1], %z: float32[1,2,4,4]) -> (%y) {
  %y: float32[1,2,4,4] = com.microsoft::FusedConv(%x, %w, _, %z)
})",
                 ort_options());
  expect_unchanged(fuse_conv_residual, text("1,2,1,1"), ort_options());
}

std::string quantized(std::string_view bias, std::string_view outputs) {
  return fmt::format(R"(
graph %g(%a: float32[3,2], %b: uint8[2,3], %s: float32[1], %c: float32[{}]) -> ({}) {{
  %q: uint8[3,2], %as: float32[], %az: uint8[] = DynamicQuantizeLinear(%a)
  %i: int32[3,3] = MatMulInteger(%q, %b, %az)
  %f: float32[3,3] = Cast(%i) {{to=1}}
  %m: float32[1] = Mul(%as, %s)
  %p: float32[3,3] = Mul(%f, %m)
  %y: float32[3,3] = Add(%p, %c)
}})",
                     bias, outputs);
}

TEST(FuseDynamicQuantizeMatmul, WithBias) {
  expect_rewrite(fuse_dynamic_quantize_matmul, quantized("3", "%y"), R"(
graph %g(%a: float32[3,2], %b: uint8[2,3], %s: float32[1], %c: float32[3]) -> (%y) {
  %y: float32[3,3] = com.microsoft::DynamicQuantizeMatMul(%a, %b, %s, _, %c)
})",
                 ort_options());
}

TEST(FuseDynamicQuantizeMatmul, MatrixBiasStaysOutside) {
  expect_rewrite(fuse_dynamic_quantize_matmul, quantized("3,3", "%y"), R"(
graph %g(%a: float32[3,2], %b: uint8[2,3], %s: float32[1], %c: float32[3,3]) -> (%y) {
  %p: float32[3,3] = com.microsoft::DynamicQuantizeMatMul(%a, %b, %s)
  %y: float32[3,3] = Add(%p, %c)
})",
                 ort_options());
}

TEST(FuseDynamicQuantizeMatmul, NotWhenTheIntegersAreWanted) {
  expect_unchanged(fuse_dynamic_quantize_matmul, quantized("3", "%y, %i"), ort_options());
}

}  // namespace
}  // namespace edgewright
