#include "quantize/refusal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/text.h"

namespace edgewright {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A plain convolution, a depthwise one and a product.
constexpr const char* kChain = R"(graph %main(%x: float32[1,2,2,2]) -> (%y) {
  %w: float32[2,2,1,1] = {1.0, 2.0, 3.0, 4.0}
  %d: float32[2,1,1,1] = {1.0, 2.0}
  %m: float32[2,2] = {1.0, 2.0, 3.0, 4.0}
  %a: float32[1,2,2,2] = Conv(%x, %w)
  %r: float32[1,2,2,2] = Relu(%a)
  %b: float32[1,2,2,2] = Conv(%r, %d) {group=2}
  %y: float32[1,2,2,2] = MatMul(%b, %m)
})";

bool has(const Graph& graph, std::string_view op) {
  return std::ranges::any_of(graph.nodes(), [&](const Node& node) { return node.op == op; });
}

// Depthwise convolutions are slow in integers, everything else is quick; rounding takes 3 us.
class FakeMeter : public LatencyMeter {
 public:
  Result<std::vector<Latency>> measure(std::span<const Graph* const> graphs) override {
    std::vector<Latency> latencies;
    latencies.reserve(graphs.size());
    for (const Graph* graph : graphs) latencies.push_back({time_us(*graph), tuned});
    measured += graphs.size();
    return latencies;
  }
  bool tuned = true;
  size_t measured = 0;

 private:
  static double time_us(const Graph& graph) {
    const bool integer = has(graph, "DequantizeLinear");
    if (has(graph, "MatMul")) return integer ? 4 : 10;
    if (!has(graph, "Conv")) return 3;
    for (const Node& node : graph.nodes()) {
      if (node.op == "Conv" && node.attributes.get_int("group", 1) != 1) return integer ? 40 : 10;
    }
    return integer ? 5 : 20;
  }
};

struct Measured {
  std::unique_ptr<Graph> graph;
  QuantSites sites;
  QuantDecision decision;
};

Measured prepare() {
  Measured result;
  result.graph = *parse_graph(kChain);
  result.sites = find_sites(*result.graph, {});
  for (const QuantLayer& layer : result.sites.layers) result.decision.layers.insert(layer.name());
  for (const QuantPoint& point : result.sites.points) {
    result.decision.activations[point.value->name] = activation_params({-1, 1}, {});
  }
  return result;
}

TEST(LayerCostTest, AnIsolatedLayerReadsAndMakesIntegers) {
  const Measured measured = prepare();
  const auto real = isolated_layer(*measured.graph, "a", nullptr);
  const auto integer = isolated_layer(*measured.graph, "a", &measured.decision);
  ASSERT_TRUE(real.ok() && integer.ok());
  EXPECT_TRUE(has(**real, "Relu"));
  EXPECT_FALSE(has(**real, "DequantizeLinear"));
  EXPECT_THAT(violations(**integer), IsEmpty());
  ASSERT_EQ((*integer)->inputs().size(), 1u);
  EXPECT_EQ((*integer)->inputs()[0]->type.dtype, DType::kUint8);
  EXPECT_EQ((*integer)->outputs()[0]->type.dtype, DType::kUint8);
}

TEST(LayerCostTest, SumsLayersAndConversions) {
  Measured measured = prepare();
  FakeMeter meter;
  const auto costs = LayerCosts::measure(*measured.graph, measured.sites, measured.decision, meter);
  ASSERT_TRUE(costs.ok()) << costs.error().message;
  EXPECT_EQ(costs->total_us({}), 20 + 10 + 10);
  // Only the input of the model is rounded apart from a layer.
  EXPECT_EQ(costs->total_us(measured.sites), 5 + 40 + 4 + 3);
  // Without the middle layer its output has to be rounded for the product.
  EXPECT_EQ(costs->total_us(find_sites(*measured.graph, {{"b"}, true})), 5 + 10 + 4 + 3 + 3);
}

TEST(RefusalTest, TheSlowLayerStaysInFloat) {
  Measured measured = prepare();
  FakeMeter meter;
  const auto costs = LayerCosts::measure(*measured.graph, measured.sites, measured.decision, meter);
  const RefusedLayers refusal = refuse_slower(*measured.graph, measured.sites, *costs, {});
  EXPECT_THAT(refusal.layers, ElementsAre("b"));
  EXPECT_EQ(refusal.all_integer_us, 52);
  EXPECT_EQ(refusal.chosen_us, 25);
  ASSERT_EQ(refusal.choices.size(), 1u);
  EXPECT_THAT(refusal.choices[0].why, testing::HasSubstr("40.0 us in int8"));
}

TEST(RefusalTest, WhatRunsOnPlainLoopsIsNotJudged) {
  Measured measured = prepare();
  FakeMeter meter;
  meter.tuned = false;
  const auto costs = LayerCosts::measure(*measured.graph, measured.sites, measured.decision, meter);
  EXPECT_THAT(refuse_slower(*measured.graph, measured.sites, *costs, {}).layers, IsEmpty());
}

// Attention: each of its products alone is slower in integers.
constexpr const char* kAttention = R"(graph %main(%h: float32[1,4,6]) -> (%y) {
  %half: float32[] = {0.5}
  %heads: int64[4] = {1, 4, 2, 3}
  %rows: int64[3] = {1, 4, 6}
  %c: float32[1,4,2,3] = Reshape(%h, %heads)
  %q: float32[1,2,4,3] = Transpose(%c) {perm=[0, 2, 1, 3]}
  %k: float32[1,2,3,4] = Transpose(%c) {perm=[0, 2, 3, 1]}
  %s: float32[1,2,4,4] = MatMul(%q, %k)
  %t: float32[1,2,4,4] = Mul(%s, %half)
  %u: float32[1,2,4,4] = Softmax(%t)
  %o: float32[1,2,4,3] = MatMul(%u, %q)
  %b: float32[1,4,2,3] = Transpose(%o) {perm=[0, 2, 1, 3]}
  %r: float32[1,4,6] = Reshape(%b, %rows)
  %y: float32[1,4,6] = Relu(%r)
})";

class AttentionMeter : public LatencyMeter {
 public:
  explicit AttentionMeter(double whole_us) : whole_us_(whole_us) {}
  Result<std::vector<Latency>> measure(std::span<const Graph* const> graphs) override {
    std::vector<Latency> latencies;
    latencies.reserve(graphs.size());
    for (const Graph* graph : graphs) {
      const bool integer = has(*graph, "DequantizeLinear");
      const double product = integer ? 12 : 10;
      latencies.push_back({has(*graph, "Softmax")  ? (integer ? whole_us_ : 30)
                           : has(*graph, "MatMul") ? product
                                                   : 1});
    }
    return latencies;
  }

 private:
  double whole_us_;
};

TEST(RefusalTest, TheProductsOfAnAttentionAreJudgedTogether) {
  Measured measured;
  measured.graph = *parse_graph(kAttention);
  measured.sites = find_sites(*measured.graph, {});
  const auto units = layer_units(measured.sites);
  ASSERT_EQ(units.size(), 1u);
  EXPECT_THAT(units[0].layers, ElementsAre("s", "o"));
  EXPECT_EQ(units[0].result->name, "r");
  for (const QuantLayer& layer : measured.sites.layers)
    measured.decision.layers.insert(layer.name());
  for (const QuantPoint& point : measured.sites.points) {
    measured.decision.activations[point.value->name] = activation_params({-1, 1}, {});
  }
  const auto alone = isolated_unit(units[0], &measured.decision);
  ASSERT_TRUE(alone.ok());
  EXPECT_THAT(violations(**alone), IsEmpty());
  ASSERT_EQ((*alone)->inputs().size(), 1u);
  EXPECT_EQ((*alone)->inputs()[0]->type.dtype, DType::kFloat32);
  for (const auto& [whole_us, refused] : {std::pair(20.0, 0u), std::pair(40.0, 2u)}) {
    AttentionMeter meter(whole_us);
    const auto costs =
        LayerCosts::measure(*measured.graph, measured.sites, measured.decision, meter);
    ASSERT_TRUE(costs.ok()) << costs.error().message;
    EXPECT_EQ(costs->total_us(measured.sites), whole_us);
    EXPECT_EQ(costs->total_us({}), 30);
    EXPECT_EQ(refuse_slower(*measured.graph, measured.sites, *costs, {}).layers.size(), refused);
  }
}

}  // namespace
}  // namespace edgewright
