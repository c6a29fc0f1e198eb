#include <gtest/gtest.h>

#include "graph/text.h"
#include "split/choose.h"
#include "split/halves.h"
#include "split/work.h"

namespace edgewright {
namespace {

// %a is used twice, %k depends on no input, and the model has an output on the way.
constexpr const char* kGraph = R"(graph %main(%x: float32[1,4], %z: float32[1,4]) -> (%y, %b) {
  %w: float32[4,4] = {1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 4.0}
  %c: float32[1] = {2.0}
  %k: float32[1] = Neg(%c) "k"
  %a: float32[1,4] = MatMul(%x, %w) "a"
  %b: float32[1,4] = Relu(%a) "b"
  %d: float32[1,4] = Mul(%a, %k) "d"
  %e: float32[1,4] = Add(%b, %d) "e"
  %y: float32[1,4] = Add(%e, %z) "y"
}
)";

TEST(GraphWork, TurnsNodesIntoLayers) {
  const auto graph = parse_graph(kGraph);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  const auto result = graph_work(**graph);
  ASSERT_TRUE(result.ok()) << result.error().message;
  const SplitWork& work = result->work;
  ASSERT_EQ(work.layers.size(), 6U);  // input, a, b, d, e, y; k is worked out anywhere
  EXPECT_EQ(work.layers[1].name, "a");
  EXPECT_EQ(work.layers[1].weight_bytes, 64);
  EXPECT_EQ(work.layers[2].result_bytes, 16);
  EXPECT_EQ(work.layers[5].result_bytes, 16);
  // 16 multiply-adds, and one operation an element of the output.
  EXPECT_EQ(work.layers[1].flops, 2 * 16 + 4);
  const auto* a = &work.tensors[2];
  EXPECT_EQ(a->name, "a");
  EXPECT_EQ(a->consumers, (std::vector<size_t>{2, 3}));
  EXPECT_EQ(a->size_bytes, 16);
}

Placement placed(const std::vector<int>& tiers) { return {tiers.begin(), tiers.end()}; }

std::vector<std::string> names(const std::vector<Value*>& values) {
  std::vector<std::string> result;
  result.reserve(values.size());
  for (const Value* value : values) result.push_back(value->name);
  return result;
}

using Names = std::vector<std::string>;

TEST(Halves, DivideNodesInputsAndOutputs) {
  Model model;
  auto graph = parse_graph(kGraph);
  ASSERT_TRUE(graph.ok());
  model.graph = *std::move(graph);
  const auto work = graph_work(*model.graph);
  ASSERT_TRUE(work.ok());
  // a and b on the device; d, e and y on the server.
  const auto halves = split_model(model, *work, placed({0, 0, 0, 1, 1, 1}));
  ASSERT_TRUE(halves.ok()) << halves.error().message;
  EXPECT_TRUE(violations(*halves->device.graph).empty());
  EXPECT_TRUE(violations(*halves->server.graph).empty());
  EXPECT_EQ(halves->sent, (Names{"z", "a", "b"}));
  EXPECT_EQ(names(halves->device.graph->inputs()), (Names{"x"}));
  EXPECT_EQ(names(halves->device.graph->outputs()), (Names{"a", "b"}));
  EXPECT_EQ(names(halves->server.graph->inputs()), (Names{"z", "a", "b"}));
  EXPECT_EQ(names(halves->server.graph->outputs()), (Names{"y"}));
  EXPECT_EQ(count_nodes(*halves->device.graph), 2U);
  EXPECT_EQ(count_nodes(*halves->server.graph), 4U);  // k too
}

TEST(Halves, EverythingOnOneSide) {
  Model model;
  auto graph = parse_graph(kGraph);
  ASSERT_TRUE(graph.ok());
  model.graph = *std::move(graph);
  const auto work = graph_work(*model.graph);
  ASSERT_TRUE(work.ok());
  const auto local = split_model(model, *work, placed({0, 0, 0, 0, 0, 0}));
  ASSERT_TRUE(local.ok());
  EXPECT_TRUE(local->sent.empty());
  EXPECT_EQ(count_nodes(*local->device.graph), 6U);
  EXPECT_EQ(count_nodes(*local->server.graph), 0U);
  const auto remote = split_model(model, *work, placed({0, 1, 1, 1, 1, 1}));
  ASSERT_TRUE(remote.ok());
  EXPECT_EQ(remote->sent, (Names{"x", "z"}));
  EXPECT_EQ(count_nodes(*remote->device.graph), 0U);
  EXPECT_EQ(names(remote->server.graph->outputs()), (Names{"y", "b"}));
}

TEST(GraphWork, RefusesValuesOfUnknownSize) {
  const auto graph = parse_graph(
      "graph %main(%x: float32[n,4]) -> (%y) {\n  %y: float32[n,4] = Relu(%x) \"r\"\n}\n");
  ASSERT_TRUE(graph.ok());
  const auto work = graph_work(**graph);
  ASSERT_FALSE(work.ok());
  EXPECT_EQ(work.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(work.error().message.find("--shape"), std::string::npos);
}

// A spreadsheet's way. Vision transformer of 20 blocks, width 768, 197 tokens, feed-forward 3,072:
// a block has 4 x 197 x 768^2 + 2 x 197^2 x 768 + 2 x 197 x 768 x 3072 = 1,453,954,560
// multiply-adds, the embedding 196 x 768 x 768, the head 768 x 1000. At 0.5 and 50 TFLOP/s a block
// takes 5,815.8 and 58.158 us. 100 Mbit/s moves the input as bytes (150,528) in 12,042.24 us.
TEST(Transformer, PlanIsAsInASpreadsheet) {
  const auto work = transformer_work("layers=20,width=768,tokens=197");
  ASSERT_TRUE(work.ok()) << work.error().message;
  ASSERT_EQ(work->layers.size(), 23U);
  EXPECT_EQ(work->layers[5].flops, 2 * 1453954560.0);
  EXPECT_EQ(work->tensors[0].size_bytes, 602112);
  const auto edge = tier_speed("0.5TFLOP/s"), cloud = tier_speed("50TFLOP/s");
  ASSERT_TRUE(edge.ok() && cloud.ok());
  SplitHop hop;
  hop.us_per_byte = hop.us_per_result_byte = 0.08;
  hop.fixed_us = 20000;
  SplitWork raw = *work;
  raw.tensors[0].size_bytes = 150528;
  const SplitProblem problem = timed(raw, {*edge, *cloud}, {hop});
  const double multiply_adds = 20 * 1453954560.0 + 196 * 768 * 768.0 + 768 * 1000.0;
  const double cloud_us = 2 * multiply_adds / 50e6;
  const auto choice = choose_split(problem, {});
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->best.cut, "input");
  EXPECT_NEAR(choice->best.cost.latency_us, 150528 * 0.08 + 20000 + cloud_us + 4000 * 0.08, 1e-3);
  // After the embedding, 605,184 bytes are sent, and the embedding runs on the device.
  const SplitCost embedded = cost_of(problem, linear_placement(23, {2}));
  const double embedding_us = 2 * 196 * 768 * 768.0 / 0.5e6;
  EXPECT_NEAR(embedded.latency_us,
              embedding_us + 605184 * 0.08 + 20000 + 320 + cloud_us - embedding_us / 100, 1e-3);
  EXPECT_NEAR(cost_of(problem, Placement(23, 0)).latency_us, cloud_us * 100, 1e-3);
}

TEST(Transformer, RefusesOddShapes) {
  for (const char* text :
       {"", "layers=20", "layers=0,width=1,tokens=1", "layers=2,width=x,tokens=3",
        "layers=2,width=4,tokens=3,colour=1", "layers=99999,width=4,tokens=3"}) {
    const auto work = transformer_work(text);
    ASSERT_FALSE(work.ok()) << text;
    EXPECT_EQ(work.error().kind, ErrorKind::kUsage);
  }
}

TEST(TierSpeed, ReadsRates) {
  const auto speed = tier_speed("500GFLOP/s,25GB/s");
  ASSERT_TRUE(speed.ok());
  EXPECT_DOUBLE_EQ(speed->flops_per_s, 5e11);
  EXPECT_DOUBLE_EQ(speed->bytes_per_s, 25e9);
  EXPECT_DOUBLE_EQ(speed->time_us({"a", 1e6, 1e3}), 2);
  EXPECT_DOUBLE_EQ(speed->time_us({"a", 1e6, 1e6}), 40);
  for (const char* text : {"", "x", "-5GFLOP/s", "0FLOP/s", "5GFLOP/s,", "5GFLOP/s,3"}) {
    EXPECT_FALSE(tier_speed(text).ok()) << text;
  }
}

}  // namespace
}  // namespace edgewright
