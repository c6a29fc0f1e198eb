#include "quantize/low_float.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/text.h"

namespace edgewright {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kGraph = R"(graph %main(%x: float32[2,4], %c: bool[]) -> (%y, %z) {
  %w: float32[4,4] = {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}
  %big: float32[4] = {1, 1, 1, 60000}
  %m: float32[2,4] = MatMul(%x, %w) "product"
  %s: float32[2,4] = Softmax(%m) "soft"
  %a: float32[2,4] = Add(%s, %m) "sum"
  %l: float32[2,4] = Mul(%a, %big) "scaled"
  %r: float32[2,4] = Relu(%a) "relu"
  %z: float32[2,4] = If(%c) {then_branch=graph %t() -> (%i) {
    %i: float32[2,4] = Identity(%r)
  }, else_branch=graph %e() -> (%j) {
    %j: float32[2,4] = Neg(%l)
  }}
  %y: float32[2,4] = Relu(%r)
})";

DType type_of_value(Graph& graph, std::string_view name) {
  return graph.find_value(name)->type.dtype;
}

TEST(LowFloatTest, KindsAndRangesDecide) {
  const auto graph = parse_graph(kGraph);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  const LowFloatReport report = convert_low_float(**graph, {});
  EXPECT_THAT(report.kept.at("soft"), HasSubstr("Softmax"));
  EXPECT_THAT(report.kept.at("scaled"), HasSubstr("6e+04"));
  EXPECT_EQ(report.kept.count("product"), 0u);
  ASSERT_TRUE((*graph)->sort_topologically().ok());
  EXPECT_THAT(violations(**graph), IsEmpty());
  // Outputs and what branches see keep their type.
  EXPECT_EQ(type_of_value(**graph, "y"), DType::kFloat32);
  EXPECT_EQ((*graph)->find_value("y")->producer->op, "Cast");
  for_each_node(**graph, [](const Node& node) {
    if (node.graph->parent == nullptr) return;
    for (const Value* input : node.inputs) EXPECT_EQ(input->type.dtype, DType::kFloat32);
  });
  // Softmax reads a cast of the 16-bit product.
  const Node* soft = (*graph)->find_value("s")->producer;
  EXPECT_EQ(soft->inputs[0]->producer->op, "Cast");
  EXPECT_EQ(soft->inputs[0]->producer->inputs[0]->type.dtype, DType::kFloat16);
}

TEST(LowFloatTest, ObservedNumbersKeepANodeInFloat32) {
  const auto graph = parse_graph(kGraph);
  Observations observations;
  ASSERT_TRUE(observations["m"].add(std::vector<float>{-40000, 3}).ok());
  LowFloatOptions options;
  options.observations = &observations;
  const LowFloatReport report = convert_low_float(**graph, options);
  EXPECT_THAT(report.kept.at("product"), HasSubstr("'m' reaches"));
  EXPECT_EQ(report.kept.count("sum"), 1u);
  EXPECT_EQ(report.kept.count("relu"), 0u);
}

TEST(LowFloatTest, BfloatConvolutionNeedsItsOpset) {
  constexpr const char* kConv = R"(graph %main(%x: float32[1,1,2,2]) -> (%y) {
    %w: float32[1,1,1,1] = {2.0}
    %y: float32[1,1,2,2] = Conv(%x, %w) "conv"
  })";
  for (const int opset : {17, 22}) {
    const auto graph = parse_graph(kConv);
    LowFloatOptions options;
    options.dtype = DType::kBfloat16;
    options.target_opset = opset;
    EXPECT_EQ(convert_low_float(**graph, options).kept.count("conv"), opset < 22 ? 1u : 0u);
  }
}

}  // namespace
}  // namespace edgewright
