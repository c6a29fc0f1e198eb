#include "verify/bisect.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/interpreter.h"

namespace edgewright {
namespace {

Tensor vector(std::vector<float> elements) {
  const auto size = static_cast<int64_t>(elements.size());
  return Tensor::of<float>({size}, std::span<const float>(elements));
}

// y0 = x * w0, y1 = y0 * w1, ...: a chain in which one weight may be wrong.
std::unique_ptr<Graph> chain(const std::vector<float>& weights) {
  auto graph = std::make_unique<Graph>();
  Value* value = graph->add_input("x", ValueType::tensor(DType::kFloat32, Shape{Dim{2}}));
  for (size_t i = 0; i < weights.size(); ++i) {
    Value* weight = graph->add_constant(fmt::format("w{}", i), vector({weights[i], weights[i]}));
    Node* node = graph->add_node("Mul", {value, weight}, {fmt::format("y{}", i)});
    node->name = fmt::format("mul{}", i);
    value = node->outputs[0];
    value->type = ValueType::tensor(DType::kFloat32, Shape{Dim{2}});
  }
  graph->add_output(value);
  return graph;
}

Result<BisectResult> bisect_chains(const Graph& reference, const Graph& candidate) {
  const GraphRunner runner = [](std::unique_ptr<Graph> graph, const std::vector<Datum>& inputs) {
    return Interpreter().run(*graph, inputs);
  };
  return bisect(reference, candidate, {vector({1, 2})}, runner, {});
}

TEST(Bisect, EqualGraphsHaveNoGuiltyLayer) {
  const auto graph = chain({2, 3});
  const auto found = bisect_chains(*graph, *graph);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_TRUE(found->layers.empty());
  EXPECT_TRUE(found->restored);
}

TEST(Bisect, NamesTheOneWrongLayerWithinItsRuns) {
  const std::vector<float> weights(16, 1.1f);
  const auto reference = chain(weights);
  for (size_t wrong = 0; wrong < weights.size(); ++wrong) {
    auto broken = weights;
    broken[wrong] = 1.5f;
    const auto found = bisect_chains(*reference, *chain(broken));
    ASSERT_TRUE(found.ok()) << found.error().message;
    ASSERT_EQ(found->layers.size(), 1u);
    EXPECT_EQ(found->layers[0].name, fmt::format("y{}", wrong));
    EXPECT_EQ(found->layers[0].node, fmt::format("mul{}", wrong));
    EXPECT_LE(found->model_runs, 2 * 4 + 4);
    EXPECT_TRUE(found->restored);
  }
}

TEST(Bisect, FindsEveryLayerThatMatters) {
  auto weights = std::vector<float>(8, 1.0f);
  const auto reference = chain(weights);
  weights[2] = 2;
  weights[5] = 3;
  weights[6] = 1.000001f;  // within tolerance on its own
  const auto found = bisect_chains(*reference, *chain(weights));
  ASSERT_TRUE(found.ok()) << found.error().message;
  ASSERT_EQ(found->layers.size(), 2u);
  EXPECT_EQ(found->layers[0].name, "y5");
  EXPECT_EQ(found->layers[1].name, "y2");
}

TEST(Bisect, LayersOfAFusedCandidateAreMatchedByValue) {
  // The candidate multiplies once by the product of two weights, and wrongly.
  const auto reference = chain({2, 3, 5});
  auto candidate = std::make_unique<Graph>();
  const ValueType type = ValueType::tensor(DType::kFloat32, Shape{Dim{2}});
  Value* x = candidate->add_input("x", type);
  Node* first =
      candidate->add_node("Mul", {x, candidate->add_constant("w", vector({7, 7}))}, {"y1"});
  first->outputs[0]->type = type;
  Node* last = candidate->add_node(
      "Mul", {first->outputs[0], candidate->add_constant("v", vector({5, 5}))}, {"y2"});
  last->outputs[0]->type = type;
  candidate->add_output(last->outputs[0]);
  const auto found = bisect_chains(*reference, *candidate);
  ASSERT_TRUE(found.ok()) << found.error().message;
  ASSERT_EQ(found->layers.size(), 1u);
  EXPECT_EQ(found->layers[0].name, "y1");
  EXPECT_TRUE(found->restored);
}

}  // namespace
}  // namespace edgewright
