#include "graph/cost.h"

#include <gtest/gtest.h>

#include "graph/text.h"

namespace edgewright {
namespace {

std::optional<int64_t> cost_of_first(std::string_view text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return multiply_adds((*graph)->nodes().front());
}

TEST(Cost, ConvolutionCountsEachWeightPerOutputPosition) {
  // The first layer of ResNet-50: 112 x 112 x 64 outputs, 3 x 7 x 7 weights each.
  EXPECT_EQ(cost_of_first("graph %g(%x: float32[1,3,224,224], %w: float32[64,3,7,7]) -> (%y) {\n"
                          "%y: float32[1,64,112,112] = Conv(%x, %w)\n}"),
            112 * 112 * 64 * 147);
}

TEST(Cost, MatrixProductsAndUnknownShapes) {
  EXPECT_EQ(cost_of_first("graph %g(%a: float32[2,4,8], %b: float32[8,16]) -> (%y) {\n"
                          "%y: float32[2,4,16] = MatMul(%a, %b)\n}"),
            2 * 4 * 8 * 16);
  EXPECT_EQ(cost_of_first("graph %g(%a: float32[8,4], %b: float32[8,16]) -> (%y) {\n"
                          "%y: float32[4,16] = Gemm(%a, %b) {transA=1}\n}"),
            4 * 8 * 16);
  EXPECT_FALSE(
      cost_of_first("graph %g(%a: float32[n,4], %b: float32[4,16]) -> (%y) {\n"
                    "%y: float32[n,16] = MatMul(%a, %b)\n}"));
  EXPECT_EQ(cost_of_first("graph %g(%a: float32[n]) -> (%y) {\n%y: float32[n] = Relu(%a)\n}"), 0);
}

}  // namespace
}  // namespace edgewright
