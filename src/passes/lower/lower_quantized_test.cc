// Quantised graphs become integer operators: what is fused, what is not.
#include "passes/lower/lower.h"
#include "passes/rewrite_check.h"

namespace edgewright {
namespace {

PassOptions plan_options() {
  PassOptions options;
  options.dialect = Dialect::kPlan;
  return options;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

constexpr std::string_view kScales = R"(
    %half: float32[] = {0.5}
    %quarter: float32[] = {0.25}
    %z8: uint8[] = {8}
    %z0: uint8[] = {0}
    %w: int8[2,1,1,1] = {1, -2}
    %ws: float32[2] = {0.5, 0.25}
)";

std::string conv_graph(std::string_view inputs, std::string_view outputs, std::string_view tail) {
  return fmt::format("graph %g({}) -> ({}) {{\n", inputs, outputs) + std::string(kScales) + R"(
    %x: float32[1,1,4,4] = DequantizeLinear(%q, %half, %z8)
    %wd: float32[2,1,1,1] = DequantizeLinear(%w, %ws) {axis=0}
    %c: float32[1,2,4,4] = Conv(%x, %wd)
)" + std::string(tail) +
         "\n  }";
}

TEST(LowerQuantizedConv, TakesActivationAndQuantisation) {
  const std::string after =
      rewritten(lower_quantized_conv, conv_graph("%q: uint8[1,1,4,4]", "%y", R"(
    %r: float32[1,2,4,4] = Relu(%c)
    %y: uint8[1,2,4,4] = QuantizeLinear(%r, %quarter, %z0))"),
                plan_options());
  EXPECT_TRUE(holds(after, "%y: uint8[1,2,4,4] = edgewright::QuantizedConv2d(%q, ")) << after;
  EXPECT_TRUE(holds(after, "activation=\"Relu\"")) << after;
  EXPECT_TRUE(holds(after, "y_scale=0.25")) << after;
  EXPECT_TRUE(holds(after, "x_zero=8")) << after;
  // x_scale * w_scale per channel.
  EXPECT_TRUE(holds(after, "float32[2] = {0.25, 0.125}")) << after;
  EXPECT_FALSE(holds(after, "Conv(")) << after;
}

TEST(LowerQuantizedConv, FoldsANormalisationIntoFactorsAndBias) {
  const std::string after =
      rewritten(lower_quantized_conv, conv_graph("%q: uint8[1,1,4,4]", "%y", R"(
    %gamma: float32[2] = {2.0, 4.0}
    %beta: float32[2] = {1.0, 0.0}
    %mean: float32[2] = {0.5, 0.0}
    %var: float32[2] = {1.0, 1.0}
    %y: float32[1,2,4,4] = BatchNormalization(%c, %gamma, %beta, %mean, %var) {epsilon=0.0})"),
                plan_options());
  EXPECT_TRUE(holds(after, "float32[2] = {0.5, 0.5}")) << after;
  EXPECT_TRUE(holds(after, "float32[2] = {0.0, 0.0}") || holds(after, "%y: float32")) << after;
  EXPECT_FALSE(holds(after, "BatchNormalization")) << after;
}

TEST(LowerQuantizedConv, ResultInBothFormsWhereBothAreRead) {
  const std::string after =
      rewritten(lower_quantized_conv, conv_graph("%q: uint8[1,1,4,4]", "%y, %t", R"(
    %r: float32[1,2,4,4] = Relu(%c)
    %t: float32[1,2,4,4] = Tanh(%r)
    %y: uint8[1,2,4,4] = QuantizeLinear(%r, %quarter, %z0))"),
                plan_options());
  EXPECT_TRUE(
      holds(after, "%y: uint8[1,2,4,4], %r: float32[1,2,4,4] = edgewright::QuantizedConv2d"))
      << after;
  EXPECT_TRUE(holds(after, "Tanh(%r)")) << after;
}

TEST(LowerQuantizedConv, SumOfARoundedProductAndBytes) {
  const std::string after =
      rewritten(lower_quantized_conv, conv_graph("%q: uint8[1,1,4,4], %s: uint8[1,2,4,4]", "%y", R"(
    %p: uint8[1,2,4,4] = QuantizeLinear(%c, %quarter, %z8)
    %pd: float32[1,2,4,4] = DequantizeLinear(%p, %quarter, %z8)
    %sd: float32[1,2,4,4] = DequantizeLinear(%s, %half, %z0)
    %a: float32[1,2,4,4] = Add(%pd, %sd)
    %y: uint8[1,2,4,4] = QuantizeLinear(%a, %half, %z0))"),
                plan_options());
  EXPECT_TRUE(holds(after, ", _, %s)")) << after;
  EXPECT_TRUE(holds(after, "product_scale=0.25")) << after;
  EXPECT_TRUE(holds(after, "residual_scale=0.5")) << after;
  EXPECT_FALSE(holds(after, "Add")) << after;
}

std::string window_graph(std::string_view window, std::string_view shape) {
  return "graph %g(%q: uint8[1,4,6,6]) -> (%y) {\n" + std::string(kScales) +
         fmt::format(R"(
    %sizes: int64[4] = {{1, 4, 12, 12}}
    %x: float32[1,4,6,6] = DequantizeLinear(%q, %half, %z8)
    %p: float32[{0}] = {1}
    %y: uint8[{0}] = QuantizeLinear(%p, %quarter, %z0)
  }})",
                     shape, window);
}

TEST(LowerQuantizedWindow, MeansAndInterpolationsOnBytes) {
  const auto lowered = [](std::string_view window, std::string_view shape) {
    return rewritten(lower_quantized_window, window_graph(window, shape), plan_options());
  };
  const std::string pool =
      lowered("AveragePool(%x) {kernel_shape=[3,3], pads=[1,1,1,1]}", "1,4,6,6");
  EXPECT_TRUE(holds(pool, "%y: uint8[1,4,6,6] = edgewright::QuantizedAveragePool(%q)")) << pool;
  EXPECT_TRUE(holds(pool, "x_scale=0.5")) << pool;
  EXPECT_TRUE(holds(pool, "y_scale=0.25")) << pool;
  const std::string global = lowered("GlobalAveragePool(%x)", "1,4,1,1");
  EXPECT_TRUE(holds(global, "kernel_shape=[6, 6]")) << global;
  const std::string resize = lowered("Resize(%x, _, _, %sizes) {mode=\"linear\"}", "1,4,12,12");
  EXPECT_TRUE(holds(resize, "edgewright::QuantizedResize(%q)")) << resize;
  EXPECT_FALSE(
      holds(lowered("Resize(%x, _, _, %sizes) {mode=\"cubic\"}", "1,4,12,12"), "edgewright::"));
}

TEST(LowerQuantizedConv, LeavesFloatWeightsAndOpenShapes) {
  const std::string open = "graph %g(%q: uint8[n,1,4,4]) -> (%c) {\n" + std::string(kScales) + R"(
    %x: float32[n,1,4,4] = DequantizeLinear(%q, %half, %z8)
    %wd: float32[2,1,1,1] = DequantizeLinear(%w, %ws) {axis=0}
    %c: float32[n,2,4,4] = Conv(%x, %wd)
  })";
  EXPECT_TRUE(holds(rewritten(lower_quantized_conv, open, plan_options()), "= Conv(%x, %wd)"));
}

TEST(LowerQuantizedMatMul, ThroughATransposeOfTheWeights) {
  const std::string before = R"(graph %g(%q: uint8[1,3,2]) -> (%y) {
    %half: float32[] = {0.5}
    %z8: uint8[] = {8}
    %w: int8[2,2] = {1, 2, 3, 4}
    %ws: float32[2] = {0.5, 0.25}
    %b: float32[2] = {1.0, 2.0}
    %x: float32[1,3,2] = DequantizeLinear(%q, %half, %z8)
    %wd: float32[2,2] = DequantizeLinear(%w, %ws) {axis=0}
    %wt: float32[2,2] = Transpose(%wd) {perm=[1, 0]}
    %m: float32[1,3,2] = MatMul(%x, %wt)
    %s: float32[1,3,2] = Add(%b, %m)
    %y: float32[1,3,2] = Gelu(%s)
  })";
  const std::string after = rewritten(lower_quantized_matmul, before, plan_options());
  EXPECT_TRUE(holds(after, "edgewright::QuantizedMatMul(%q, ")) << after;
  EXPECT_TRUE(holds(after, "transpose_b=1")) << after;
  EXPECT_TRUE(holds(after, "activation=\"Gelu\"")) << after;
  EXPECT_FALSE(holds(after, "Add")) << after;
}

TEST(LowerQuantizedMoves, MovesWorkOnBytes) {
  const std::string before = R"(graph %g(%q: uint8[2,3]) -> (%y) {
    %half: float32[] = {0.5}
    %z8: uint8[] = {8}
    %x: float32[2,3] = DequantizeLinear(%q, %half, %z8)
    %t: float32[3,2] = Transpose(%x) {perm=[1, 0]}
    %y: uint8[3,2] = QuantizeLinear(%t, %half, %z8)
  })";
  const std::string after = rewritten(lower_quantized_moves, before, plan_options());
  EXPECT_TRUE(holds(after, "%y: uint8[3,2] = Transpose(%q)")) << after;
  EXPECT_FALSE(holds(after, "Linear")) << after;
}

TEST(LowerQuantizedMoves, LargestOfBytesAndJoinedBytes) {
  const std::string before = R"(graph %g(%q: uint8[1,2,4,4], %r: uint8[1,1,2,2]) -> (%y) {
    %half: float32[] = {0.5}
    %z8: uint8[] = {8}
    %x: float32[1,2,4,4] = DequantizeLinear(%q, %half, %z8)
    %m: float32[1,2,2,2] = MaxPool(%x) {kernel_shape=[2, 2], strides=[2, 2]}
    %w: float32[1,1,2,2] = DequantizeLinear(%r, %half, %z8)
    %c: float32[1,3,2,2] = Concat(%m, %w) {axis=1}
    %y: uint8[1,3,2,2] = QuantizeLinear(%c, %half, %z8)
  })";
  const std::string after = rewritten(lower_quantized_moves, before, plan_options());
  EXPECT_TRUE(holds(after, "uint8[1,2,2,2] = MaxPool(%q)")) << after;
  EXPECT_TRUE(holds(after, "%y: uint8[1,3,2,2] = Concat(")) << after;
  EXPECT_FALSE(holds(after, "Linear")) << after;
}

TEST(LowerQuantizedMoves, OtherScalesAreNotJoined) {
  const std::string before = R"(graph %g(%q: uint8[1,2], %r: uint8[1,1]) -> (%y) {
    %half: float32[] = {0.5}
    %quarter: float32[] = {0.25}
    %z8: uint8[] = {8}
    %x: float32[1,2] = DequantizeLinear(%q, %half, %z8)
    %w: float32[1,1] = DequantizeLinear(%r, %quarter, %z8)
    %y: float32[1,3] = Concat(%x, %w) {axis=1}
  })";
  const std::string after = rewritten(lower_quantized_moves, before, plan_options());
  EXPECT_TRUE(holds(after, "float32[1,3] = Concat(%x, %w)")) << after;
}

TEST(LowerElementwise, BytesAtTheEdges) {
  const std::string before = R"(graph %g(%q: uint8[2,3], %r: uint8[2,3]) -> (%y) {
    %half: float32[] = {0.5}
    %z8: uint8[] = {8}
    %x: float32[2,3] = DequantizeLinear(%q, %half, %z8)
    %w: float32[2,3] = DequantizeLinear(%r, %half, %z8)
    %s: float32[2,3] = Add(%x, %w)
    %y: uint8[2,3] = QuantizeLinear(%s, %half, %z8)
  })";
  const std::string after = rewritten(lower_elementwise, before, plan_options());
  EXPECT_TRUE(holds(after, "edgewright::Elementwise(%q, %r)")) << after;
  EXPECT_TRUE(holds(after, "Dequantize(i0,0.5,8)")) << after;
  EXPECT_TRUE(holds(after, "QuantizeUint8(t2,0.5,8)")) << after;
}

}  // namespace
}  // namespace edgewright
