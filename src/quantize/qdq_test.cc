#include "quantize/qdq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/text.h"

namespace edgewright {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A residual block: two convolutions, a sum, pooling and a matrix product.
constexpr const char* kBlock = R"(graph %main(%x: float32[1,2,4,4]) -> (%y) {
  %w1: float32[2,2,1,1] = {1.0, 2.0, 3.0, 4.0}
  %b1: float32[2] = {0.5, -0.5}
  %w2: float32[2,2,1,1] = {-1.0, 0.5, 0.25, 1.0}
  %w3: float32[2,3] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}
  %c1: float32[1,2,4,4] = Conv(%x, %w1, %b1)
  %r1: float32[1,2,4,4] = Relu(%c1)
  %c2: float32[1,2,4,4] = Conv(%r1, %w2)
  %s: float32[1,2,4,4] = Add(%c2, %r1)
  %r2: float32[1,2,4,4] = Relu(%s)
  %g: float32[1,2,1,1] = GlobalAveragePool(%r2)
  %f: float32[1,2] = Flatten(%g)
  %y: float32[1,3] = Gemm(%f, %w3)
})";

std::vector<std::string> layer_names(const QuantSites& sites) {
  std::vector<std::string> names;
  names.reserve(sites.layers.size());
  for (const QuantLayer& layer : sites.layers) names.push_back(layer.name());
  return names;
}

std::vector<std::string> point_names(const QuantSites& sites) {
  std::vector<std::string> names;
  names.reserve(sites.points.size());
  for (const QuantPoint& point : sites.points) names.push_back(point.value->name);
  return names;
}

QuantDecision decision_for(const QuantSites& sites) {
  QuantDecision decision;
  for (const QuantLayer& layer : sites.layers) decision.layers.insert(layer.name());
  for (const QuantPoint& point : sites.points) {
    decision.activations[point.value->name] = activation_params({-1, 7}, decision.scheme);
  }
  return decision;
}

TEST(SitesTest, AWholeBlockRunsInIntegers) {
  const auto graph = parse_graph(kBlock);
  ASSERT_TRUE(graph.ok());
  const QuantSites sites = find_sites(**graph, {});
  EXPECT_THAT(layer_names(sites), ElementsAre("c1", "c2", "s", "g", "f", "y"));
  // What only an activation reads is rounded behind it.
  EXPECT_THAT(point_names(sites), ElementsAre("x", "r1", "c2", "r2", "g", "f"));
}

TEST(SitesTest, AMovedValueSharesTheScaleOfItsSource) {
  const auto graph = parse_graph(kBlock);
  const QuantSites sites = find_sites(**graph, {});
  for (const QuantPoint& point : sites.points) {
    EXPECT_EQ(point.source->name, point.value->name == "f" ? "g" : point.value->name);
  }
}

// An excluded convolution leaves the sum that it feeds in float, too.
TEST(SitesTest, ExcludedLayersStayInFloat) {
  const auto graph = parse_graph(kBlock);
  const QuantSites sites = find_sites(**graph, {{"c2"}, true});
  EXPECT_THAT(layer_names(sites), ElementsAre("c1", "y"));
}

TEST(SitesTest, ASumThatANormalisationReadsStaysInFloat) {
  const auto graph = parse_graph(R"(graph %main(%x: float32[2,4]) -> (%z) {
    %w: float32[4,4] = {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}
    %g: float32[4] = {1, 1, 1, 1}
    %m: float32[2,4] = MatMul(%x, %w)
    %s: float32[2,4] = Add(%m, %x)
    %n: float32[2,4] = LayerNormalization(%s, %g)
    %z: float32[2,4] = MatMul(%n, %w)
  })");
  ASSERT_TRUE(graph.ok());
  EXPECT_THAT(layer_names(find_sites(**graph, {})), ElementsAre("m", "z"));
}

TEST(SitesTest, ScaledProductsAndComputedWeightsAreLeft) {
  const auto graph =
      parse_graph(R"(graph %main(%x: float32[2,2], %v: float32[2,2,1,1]) -> (%y, %c) {
    %w: float32[2,2] = {1, 2, 3, 4}
    %i: float32[1,2,1,1] = {1, 2}
    %y: float32[2,2] = Gemm(%x, %w) {alpha=2.0}
    %c: float32[1,2,1,1] = Conv(%i, %v)
  })");
  ASSERT_TRUE(graph.ok());
  EXPECT_THAT(layer_names(find_sites(**graph, {})), IsEmpty());
}

TEST(QdqTest, LayersReadRoundedValuesAndIntegerConstants) {
  const auto graph = parse_graph(kBlock);
  const QuantDecision decision = decision_for(find_sites(**graph, {}));
  ASSERT_TRUE(insert_qdq(**graph, decision, QdqForm::kNodes).ok());
  ASSERT_TRUE((*graph)->sort_topologically().ok());
  (*graph)->remove_dead();
  EXPECT_THAT(violations(**graph), IsEmpty());
  const Node* conv = (*graph)->find_value("c1")->producer;
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(conv->inputs[i]->producer != nullptr) << "input " << i;
    EXPECT_EQ(conv->inputs[i]->producer->op, "DequantizeLinear");
  }
  EXPECT_EQ(conv->inputs[1]->producer->constant_input(0)->dtype(), DType::kInt8);
  EXPECT_EQ(conv->inputs[2]->producer->constant_input(0)->dtype(), DType::kInt32);
  // The scale of the bias is that of the products (ONNX Runtime, QDQ format).
  const float bias_scale = conv->inputs[2]->producer->constant_input(1)->data<float>()[1];
  const float input_scale = decision.activations.at("x").scale;
  const float weight_scale = conv->inputs[1]->producer->constant_input(1)->data<float>()[1];
  EXPECT_FLOAT_EQ(bias_scale, input_scale * weight_scale);
  // Both readers of r1 read the same rounded value.
  EXPECT_EQ((*graph)->find_value("c2")->producer->inputs[0],
            (*graph)->find_value("s")->producer->inputs[1]);
}

TEST(QdqTest, TheSimulationHasTheSameConstants) {
  const auto nodes = parse_graph(kBlock), simulated = parse_graph(kBlock);
  const QuantDecision decision = decision_for(find_sites(**nodes, {}));
  ASSERT_TRUE(insert_qdq(**nodes, decision, QdqForm::kNodes).ok());
  ASSERT_TRUE(insert_qdq(**simulated, decision, QdqForm::kSimulated).ok());
  const Node* integer = (*nodes)->find_value("c2")->producer->inputs[1]->producer;
  const Tensor* real = (*simulated)->find_value("c2")->producer->constant_input(1);
  ASSERT_TRUE(real != nullptr);
  for (int i = 0; i < 4; ++i) {
    const float scale = integer->constant_input(1)->data<float>()[i / 2];
    EXPECT_FLOAT_EQ(real->data<float>()[i],
                    static_cast<float>(integer->constant_input(0)->data<int8_t>()[i]) * scale);
  }
}

TEST(QdqTest, AShiftedBiasIsMadeWhereThereIsNone) {
  const auto graph = parse_graph(kBlock);
  QuantDecision decision = decision_for(find_sites(**graph, {}));
  decision.bias_shift["c2"] = {0.25f, -0.125f};
  ASSERT_TRUE(insert_qdq(**graph, decision, QdqForm::kSimulated).ok());
  const Tensor* bias = (*graph)->find_value("c2")->producer->constant_input(2);
  ASSERT_TRUE(bias != nullptr);
  // Biases are whole multiples of input scale x weight scale, here 8/255 and 1/127.
  EXPECT_NEAR(bias->data<float>()[0], 0.25f, 0.5 * 8 / 255 / 127);
  EXPECT_NEAR(bias->data<float>()[1], -0.125f, 0.5 * 8 / 255 / 127);
}

}  // namespace
}  // namespace edgewright
