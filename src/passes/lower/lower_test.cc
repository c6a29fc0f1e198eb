// The operators of the native engine: what is fused, what is not, where layouts change.
#include "passes/lower/lower.h"
#include "passes/rewrite_check.h"

namespace edgewright {
namespace {

PassOptions plan_options() {
  PassOptions options;
  options.dialect = Dialect::kPlan;
  return options;
}

std::string head(std::string_view inputs) {
  return fmt::format("graph %g({}) -> (%y) {{\n", inputs);
}

constexpr std::string_view kConvWeights =
    "  %w: float32[2,1,1,1] = {1.0, 2.0}\n  %b: float32[2] = {0.5, 0.25}\n";

TEST(LowerConv, TakesResidualAndActivation) {
  const std::string before =
      head("%x: float32[1,1,4,4], %r: float32[1,2,4,4]") + std::string(kConvWeights) + R"(
    %c: float32[1,2,4,4] = Conv(%x, %w, %b)
    %s: float32[1,2,4,4] = Add(%r, %c)
    %y: float32[1,2,4,4] = Relu(%s)
  })";
  const std::string after = rewritten(lower_conv, before, plan_options());
  EXPECT_NE(after.find("edgewright::Conv2d(%x, %w, %b, %r)"), std::string::npos) << after;
  EXPECT_NE(after.find("activation=\"Relu\""), std::string::npos) << after;
  EXPECT_NE(after.find("pads=[0, 0, 0, 0]"), std::string::npos) << after;
  EXPECT_EQ(after.find("Add"), std::string::npos) << after;
}

TEST(LowerConv, SumAfterTheActivation) {
  const std::string before =
      head("%x: float32[1,1,4,4], %r: float32[1,2,4,4]") + std::string(kConvWeights) + R"(
    %c: float32[1,2,4,4] = Conv(%x, %w)
    %s: float32[1,2,4,4] = Sigmoid(%c)
    %p: float32[1,2,4,4] = Mul(%c, %s)
    %y: float32[1,2,4,4] = Add(%p, %r)
  })";
  const std::string after = rewritten(lower_conv, before, plan_options());
  EXPECT_NE(after.find("edgewright::Conv2d(%x, %w, _, %r)"), std::string::npos) << after;
  EXPECT_NE(after.find("activation=\"Silu\""), std::string::npos) << after;
  EXPECT_NE(after.find("residual_before_activation=0"), std::string::npos) << after;
}

TEST(LowerConv, KeepsAResultThatOthersRead) {
  const std::string before = R"(graph %g(%x: float32[1,1,4,4]) -> (%y, %c) {
    %w: float32[2,1,1,1] = {1.0, 2.0}
    %c: float32[1,2,4,4] = Conv(%x, %w)
    %y: float32[1,2,4,4] = Relu(%c)
  })";
  const std::string after = rewritten(lower_conv, before, plan_options());
  EXPECT_NE(after.find("edgewright::Conv2d(%x, %w)"), std::string::npos) << after;
  EXPECT_NE(after.find("Relu(%c)"), std::string::npos) << after;
}

TEST(LowerConv, ResolvesSamePadding) {
  const std::string before = head("%x: float32[1,1,5,5]") + R"(
    %w: float32[1,1,2,2] = {1.0, 2.0, 3.0, 4.0}
    %y: float32[1,1,3,3] = Conv(%x, %w) {auto_pad="SAME_UPPER", strides=[2, 2]}
  })";
  const std::string after = rewritten(lower_conv, before, plan_options());
  EXPECT_NE(after.find("pads=[0, 0, 1, 1]"), std::string::npos) << after;
}

TEST(LowerConv, LeavesOpenShapesAndSigmoidOverPartOfABlock) {
  expect_unchanged(lower_conv,
                   head("%x: float32[n,1,4,4]") + std::string(kConvWeights) +
                       "  %y: float32[n,2,4,4] = Conv(%x, %w, %b)\n}",
                   plan_options());
  const std::string before = head("%x: float32[1,1,4,4]") + std::string(kConvWeights) + R"(
    %c: float32[1,2,4,4] = Conv(%x, %w, %b)
    %y: float32[1,2,4,4] = Sigmoid(%c)
  })";
  EXPECT_NE(rewritten(lower_conv, before, plan_options()).find("Sigmoid(%c)"), std::string::npos);
}

TEST(LowerMatMul, TakesScaleBiasResidualAndActivation) {
  const std::string before = head("%a: float32[2,3], %r: float32[2,2]") + R"(
    %b: float32[3,2] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}
    %two: float32[] = {2.0}
    %bias: float32[2] = {1.0, 2.0}
    %m: float32[2,2] = MatMul(%a, %b)
    %h: float32[2,2] = Div(%m, %two)
    %s: float32[2,2] = Add(%bias, %h)
    %t: float32[2,2] = Add(%s, %r)
    %y: float32[2,2] = Gelu(%t) {approximate="tanh"}
  })";
  const std::string after = rewritten(lower_matmul, before, plan_options());
  EXPECT_NE(after.find("edgewright::MatMul(%a, %b, %bias, %r)"), std::string::npos) << after;
  EXPECT_NE(after.find("alpha_scale=0.5"), std::string::npos) << after;
  EXPECT_NE(after.find("GeluTanh"), std::string::npos) << after;
}

TEST(LowerMatMul, GemmWithTransposedWeights) {
  const std::string before = head("%a: float32[1,3]") + R"(
    %b: float32[2,3] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}
    %c: float32[2] = {1.0, 2.0}
    %y: float32[1,2] = Gemm(%a, %b, %c) {transB=1}
  })";
  const std::string after = rewritten(lower_matmul, before, plan_options());
  EXPECT_NE(after.find("edgewright::MatMul(%a, %b, %c)"), std::string::npos) << after;
  EXPECT_NE(after.find("transpose_b=1"), std::string::npos) << after;
}

TEST(LowerMatMul, LeavesGemmWithAnotherBeta) {
  expect_unchanged(lower_matmul, head("%a: float32[1,3]") + R"(
    %b: float32[3,2] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}
    %c: float32[2] = {1.0, 2.0}
    %y: float32[1,2] = Gemm(%a, %b, %c) {beta=0.5}
  })",
                   plan_options());
}

constexpr std::string_view kHeads = R"(
    %s4: int64[4] = {1, 4, 2, 3}
    %s3: int64[3] = {1, 4, 6}
    %half: float32[] = {0.5}
    %q4: float32[1,4,2,3] = Reshape(%q, %s4)
    %k4: float32[1,4,2,3] = Reshape(%k, %s4)
    %v4: float32[1,4,2,3] = Reshape(%v, %s4)
    %qt: float32[1,2,4,3] = Transpose(%q4) {perm=[0, 2, 1, 3]}
    %kt: float32[1,2,3,4] = Transpose(%k4) {perm=[0, 2, 3, 1]}
    %vt: float32[1,2,4,3] = Transpose(%v4) {perm=[0, 2, 1, 3]}
    %p: float32[1,2,4,4] = MatMul(%qt, %kt)
    %c: float32[1,2,4,4] = Mul(%p, %half)
    %m: float32[1,2,4,4] = Add(%c, %mask)
    %w: float32[1,2,4,4] = Softmax(%m) {axis=-1}
    %o: float32[1,2,4,3] = MatMul(%w, %vt)
    %ot: float32[1,4,2,3] = Transpose(%o) {perm=[0, 2, 1, 3]}
    %y: float32[1,4,6] = Reshape(%ot, %s3)
  })";

TEST(LowerAttention, TakesScaleMaskAndTheCuttingIntoHeads) {
  const std::string before = head(
                                 "%q: float32[1,4,6], %k: float32[1,4,6], %v: float32[1,4,6], "
                                 "%mask: float32[1,1,4,4]") +
                             std::string(kHeads);
  const std::string after = rewritten(lower_attention, before, plan_options());
  EXPECT_NE(after.find("edgewright::Attention(%q, %k, %v, %mask)"), std::string::npos) << after;
  EXPECT_NE(after.find("num_heads=2"), std::string::npos) << after;
  EXPECT_NE(after.find("scale=0.5"), std::string::npos) << after;
  EXPECT_EQ(after.find("Softmax"), std::string::npos) << after;
}

TEST(LowerAttention, OnePackedTensor) {
  const std::string before = head("%x: float32[1,4,18]") + R"(
    %s5: int64[5] = {1, 4, 3, 2, 3}
    %s3: int64[3] = {1, 4, 6}
    %i0: int64[] = {0}
    %i1: int64[] = {1}
    %i2: int64[] = {2}
    %x5: float32[1,4,3,2,3] = Reshape(%x, %s5)
    %t: float32[3,1,2,4,3] = Transpose(%x5) {perm=[2, 0, 3, 1, 4]}
    %q: float32[1,2,4,3] = Gather(%t, %i0)
    %k: float32[1,2,4,3] = Gather(%t, %i1)
    %v: float32[1,2,4,3] = Gather(%t, %i2)
    %p: float32[1,2,4,4] = com.microsoft::FusedMatMul(%q, %k) {transB=1, alpha=0.5}
    %w: float32[1,2,4,4] = Softmax(%p)
    %o: float32[1,2,4,3] = MatMul(%w, %v)
    %ot: float32[1,4,2,3] = Transpose(%o) {perm=[0, 2, 1, 3]}
    %y: float32[1,4,6] = Reshape(%ot, %s3)
  })";
  const std::string after = rewritten(lower_attention, before, plan_options());
  EXPECT_NE(after.find("edgewright::Attention(%x)"), std::string::npos) << after;
  EXPECT_NE(after.find("packed_qkv=1"), std::string::npos) << after;
}

TEST(LowerAttention, LeavesScoresThatOthersRead) {
  std::string before = head(
                           "%q: float32[1,4,6], %k: float32[1,4,6], %v: float32[1,4,6], "
                           "%mask: float32[1,1,4,4]") +
                       std::string(kHeads);
  before.replace(before.find("(%y)"), 4, "(%y, %p)");
  EXPECT_NE(rewritten(lower_attention, before, plan_options()).find("Softmax"), std::string::npos);
}

TEST(LowerMean, OfAnImageIsAPool) {
  const std::string before = head("%x: float32[1,1,4,4]") + R"(
    %w: float32[2,1,1,1] = {1.0, 2.0}
    %axes: int64[2] = {2, 3}
    %c: float32[1,2,4,4] = edgewright::Conv2d(%x, %w)
    %y: float32[1,2] = ReduceMean(%c, %axes) {keepdims=0}
  })";
  const std::string after = rewritten(lower_mean, before, plan_options());
  EXPECT_NE(after.find("GlobalAveragePool(%c)"), std::string::npos) << after;
  EXPECT_NE(after.find("%y: float32[1,2] = Reshape"), std::string::npos) << after;
}

TEST(LowerElementwise, OneProgramForATree) {
  const std::string before = head("%x: float32[2,3], %z: float32[3]") + R"(
    %half: float32[] = {0.5}
    %a: float32[2,3] = Mul(%x, %half)
    %b: float32[2,3] = Tanh(%a)
    %c: float32[2,3] = Add(%b, %z)
    %d: float32[2,3] = Mul(%c, %a)
    %y: float32[2,3] = LeakyRelu(%d) {alpha=0.25}
  })";
  const std::string after = rewritten(lower_elementwise, before, plan_options());
  EXPECT_NE(after.find("edgewright::Elementwise(%x, %z)"), std::string::npos) << after;
  EXPECT_NE(after.find("t0=Mul(i0,0.5);t1=Tanh(t0);t2=Add(t1,i1);t3=Mul(t2,t0);"
                       "t4=LeakyRelu(t3,0.25)"),
            std::string::npos)
      << after;
}

TEST(LowerElementwise, SharedAndSmallerResultsStayOnTheirOwn) {
  const std::string before = R"(graph %g(%x: float32[2,3], %z: float32[3]) -> (%y, %a) {
    %a: float32[2,3] = Exp(%x)
    %b: float32[3] = Exp(%z)
    %y: float32[2,3] = Add(%a, %b)
  })";
  const std::string after = rewritten(lower_elementwise, before, plan_options());
  EXPECT_NE(after.find("edgewright::Elementwise(%a, %b)"), std::string::npos) << after;
  EXPECT_NE(after.find("edgewright::Elementwise(%z)"), std::string::npos) << after;
}

TEST(LowerElementwise, LeavesIntegers) {
  expect_unchanged(lower_elementwise, head("%x: int64[2]") + "  %y: int64[2] = Add(%x, %x)\n}",
                   plan_options());
}

TEST(AnnotateLayout, BlocksRunFromTheFirstConvolutionToTheBorder) {
  const std::string before = head("%x: float32[1,3,8,8]") + R"graph(
    %w: float32[16,3,1,1] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}
    %c: float32[1,16,8,8] = edgewright::Conv2d(%x, %w)
    %p: float32[1,16,4,4] = MaxPool(%c) {kernel_shape=[2, 2], strides=[2, 2]}
    %e: float32[1,16,4,4] = edgewright::Elementwise(%p) {program="t0=Tanh(i0)"}
    %y: float32[1,4,4,16] = Transpose(%e) {perm=[0, 2, 3, 1]}
  })graph";
  const std::string after = rewritten(annotate_layout, before, plan_options());
  EXPECT_NE(after.find("Conv2d(%x, %w) {input_layouts=[0, 0], output_layouts=[2]}"),
            std::string::npos)
      << after;
  EXPECT_NE(after.find("edgewright::Reorder(%e) {input_layouts=[2], output_layouts=[0]}"),
            std::string::npos)
      << after;
  EXPECT_NE(after.find("Transpose(%e_reordered)"), std::string::npos) << after;
}

TEST(AnnotateLayout, OutputsArePlainAndKeepTheirNames) {
  const std::string before = head("%x: float32[1,1,8,8]") + R"(
    %w: float32[2,1,1,1] = {1.0, 2.0}
    %y: float32[1,2,8,8] = edgewright::Conv2d(%x, %w)
  })";
  const std::string after = rewritten(annotate_layout, before, plan_options());
  EXPECT_NE(after.find("%y: float32[1,2,8,8] = edgewright::Reorder(%y_blocked)"), std::string::npos)
      << after;
}

TEST(LowerLowFloat, ComputesInFloat32AndMarksProducts) {
  const std::string after =
      rewritten(lower_low_float, R"(graph %g(%x: float32[1,4], %v: bfloat16[2,1]) -> (%y, %z) {
    %f: float32[4,2] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0}
    %w: bfloat16[4,2] = Cast(%f) {to=16}
    %l: bfloat16[1,4] = Cast(%x) {to=16}
    %p: bfloat16[1,2] = MatMul(%l, %w)
    %r: bfloat16[1,2] = Relu(%p)
    %s: bfloat16[2,2] = MatMul(%v, %r)
    %y: float32[1,2] = Cast(%r) {to=1}
    %z: float32[2,2] = Cast(%s) {to=1}
  })",
                plan_options());
  EXPECT_NE(after.find("products=\"bfloat16\""), std::string::npos) << after;
  EXPECT_NE(after.find("%y: float32[1,2] = Relu(%p)"), std::string::npos) << after;
  // What was made of another product counts too.
  EXPECT_NE(after.find("products", after.find("products") + 1), std::string::npos) << after;
  EXPECT_EQ(after.find("to=16"), std::string::npos) << after;
}

TEST(LowerLowFloat, LeavesSixteenBitsAtTheBordersOfTheGraph) {
  const std::string after = rewritten(lower_low_float, R"(graph %g(%x: float16[1,4]) -> (%y, %z) {
    %y: float16[1,4] = Relu(%x)
    %z: float16[1,4] = Mystery(%y)
  })",
                                      plan_options());
  EXPECT_NE(after.find("%x: float16[1,4]"), std::string::npos) << after;
  EXPECT_NE(after.find("%y: float16[1,4] = Cast("), std::string::npos) << after;
  EXPECT_NE(after.find("Mystery(%y)"), std::string::npos) << after;
  EXPECT_NE(after.find(": float32[1,4] = Relu("), std::string::npos) << after;
}

TEST(LowerLowFloat, KeepsARoundingThatIsNothingElse) {
  expect_unchanged(lower_low_float, R"(graph %g(%x: float32[1,4]) -> (%y) {
    %l: bfloat16[1,4] = Cast(%x) {to=16}
    %y: float32[1,4] = Cast(%l) {to=1}
  })",
                   plan_options());
}

}  // namespace
}  // namespace edgewright
