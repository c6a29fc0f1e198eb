#include "quantize/migrate_scales.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/text.h"

namespace edgewright {
namespace {

constexpr const char* kGraph = R"(graph %main(%x: float32[1,2], %i: float32[1,1,1,1]) -> (%y, %z) {
  %g: float32[2] = {1.0, 10.0}
  %b: float32[2] = {0.5, -5.0}
  %w: float32[2,2] = {1, 2, 3, 4}
  %v: float32[2,1,1,1] = {8.0, 0.5}
  %u: float32[1,2,1,1] = {1.0, 2.0}
  %n: float32[1,2] = LayerNormalization(%x, %g, %b)
  %y: float32[1,2] = MatMul(%n, %w)
  %c: float32[1,2,1,1] = Conv(%i, %v)
  %r: float32[1,2,1,1] = Relu(%c)
  %z: float32[1,1,1,1] = Conv(%r, %u)
})";

TEST(MigrateScalesTest, ProductsOfFactorsAndWeightsStay) {
  const auto graph = parse_graph(kGraph);
  ASSERT_TRUE(graph.ok());
  const auto sites = migration_sites(**graph);
  ASSERT_EQ(sites.size(), 2u);
  const auto changed = migrate_scales(**graph, {{"n", {1.0f, 16.0f}}, {"r", {4.0f, 1.0f}}}, 0.5);
  ASSERT_TRUE(changed.ok());
  EXPECT_THAT(*changed, testing::UnorderedElementsAre("n", "r", "c"));
  const Node* norm = (*graph)->find_value("n")->producer;
  const Node* product = (*graph)->find_value("y")->producer;
  const float* scale = norm->constant_input(1)->data<float>();
  const float* bias = norm->constant_input(2)->data<float>();
  const float* weights = product->constant_input(1)->data<float>();
  // Row c of the weights times scale and bias of channel c is what it was.
  EXPECT_NEAR(scale[0] * weights[0], 1.0f * 1, 1e-5);
  EXPECT_NEAR(scale[1] * weights[3], 10.0f * 4, 1e-4);
  EXPECT_NEAR(bias[1] * weights[2], -5.0f * 3, 1e-4);
  // The larger channel became smaller beside the other one.
  EXPECT_LT(scale[1] / scale[0], 10);
  const Node* first = (*graph)->find_value("c")->producer;
  const Node* second = (*graph)->find_value("z")->producer;
  for (int c = 0; c < 2; ++c) {
    const float before = c == 0 ? 8.0f * 1 : 0.5f * 2;
    EXPECT_NEAR(
        first->constant_input(1)->data<float>()[c] * second->constant_input(1)->data<float>()[c],
        before, 1e-5);
  }
}

TEST(MigrateScalesTest, ScaledValuesGetNamesOfTheirOwn) {
  const auto graph = parse_graph(kGraph);
  ASSERT_TRUE(graph.ok());
  rename_scaled(**graph, {"r", "gone"});
  EXPECT_EQ((*graph)->find_value("r"), nullptr);
  ASSERT_NE((*graph)->find_value("r_scaled"), nullptr);
  EXPECT_EQ((*graph)->find_value("r_scaled")->producer->op, "Relu");
  EXPECT_NE((*graph)->find_value("c"), nullptr);
}

TEST(MigrateScalesTest, OtherReadersAndBoundsForbidIt) {
  for (const char* text : {// The sum reads the value as it is.
                           R"(graph %main(%i: float32[1,1,1,1]) -> (%z) {
  %v: float32[1,1,1,1] = {8.0}
  %c: float32[1,1,1,1] = Conv(%i, %v)
  %d: float32[1,1,1,1] = Conv(%c, %v)
  %z: float32[1,1,1,1] = Add(%c, %d)
})",
                           // An upper bound does not commute with factors.
                           R"(graph %main(%i: float32[1,1,1,1]) -> (%z) {
  %v: float32[1,1,1,1] = {8.0}
  %l: float32[] = {0.0}
  %h: float32[] = {6.0}
  %c: float32[1,1,1,1] = Conv(%i, %v)
  %r: float32[1,1,1,1] = Clip(%c, %l, %h)
  %z: float32[1,1,1,1] = Conv(%r, %v)
})"}) {
    const auto graph = parse_graph(text);
    ASSERT_TRUE(graph.ok());
    EXPECT_THAT(migration_sites(**graph), testing::IsEmpty());
  }
}

}  // namespace
}  // namespace edgewright
