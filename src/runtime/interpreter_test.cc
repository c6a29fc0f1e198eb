#include "runtime/interpreter.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

ValueType float_vector() { return ValueType::tensor(DType::kFloat32, Shape{Dim(2)}); }

Datum vector2(float a, float b) { return Tensor::of<float>({2}, {a, b}); }

std::vector<float> floats(const Datum& datum) {
  const auto elements = datum.tensor().elements<float>();
  return {elements.begin(), elements.end()};
}

TEST(Interpreter, RunsNodesInOrder) {
  Graph graph;
  Value* x = graph.add_input("x", float_vector());
  Value* one = graph.add_constant("one", Tensor::of<float>({2}, {1, 1}));
  Node* first = graph.add_node("Add", {x, one}, {"y"});
  Node* second = graph.add_node("Add", {first->outputs[0], x}, {"z"});
  graph.add_output(second->outputs[0]);
  const std::vector<Datum> inputs = {vector2(1, 2)};
  auto outputs = Interpreter().run(graph, inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.error().message;
  EXPECT_EQ(floats((*outputs)[0]), (std::vector<float>{3, 5}));
}

TEST(Interpreter, LoopCarriesStateAndCollectsSlices) {
  Graph graph;
  Value* trips = graph.add_constant("trips", Tensor::scalar<int64_t>(3));
  Value* start = graph.add_input("start", float_vector());
  Value* step = graph.add_constant("step", Tensor::of<float>({2}, {1, 10}));
  Node* loop = graph.add_node("Loop", {trips, nullptr, start}, {"last", "all"});
  Graph* body = graph.add_subgraph(loop, "body");
  body->add_input("i", ValueType::tensor(DType::kInt64));
  Value* go_on = body->add_input("go_on", ValueType::tensor(DType::kBool));
  Value* state = body->add_input("state", float_vector());
  Node* same = body->add_node("Identity", {go_on}, {"same"});
  Node* sum = body->add_node("Add", {state, step}, {"sum"});  // captures an outer constant
  Node* scan = body->add_node("Identity", {sum->outputs[0]}, {"slice"});
  body->add_output(same->outputs[0]);
  body->add_output(sum->outputs[0]);
  body->add_output(scan->outputs[0]);
  graph.add_output(loop->outputs[0]);
  graph.add_output(loop->outputs[1]);
  ASSERT_TRUE(violations(graph).empty()) << violations(graph)[0];
  const std::vector<Datum> inputs = {vector2(0, 0)};
  auto outputs = Interpreter().run(graph, inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.error().message;
  EXPECT_EQ(floats((*outputs)[0]), (std::vector<float>{3, 30}));
  EXPECT_EQ((*outputs)[1].tensor().dims(), (Dims{3, 2}));
  EXPECT_EQ(floats((*outputs)[1]), (std::vector<float>{1, 10, 2, 20, 3, 30}));
}

TEST(Interpreter, NamesTheOperatorThatItLacks) {
  Graph graph;
  Value* x = graph.add_input("x", float_vector());
  Node* node = graph.add_node("Frobnicate", {x}, {"y"}, {}, "com.example");
  node->name = "odd";
  graph.add_output(node->outputs[0]);
  const std::vector<Datum> inputs = {vector2(1, 2)};
  auto outputs = Interpreter().run(graph, inputs);
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(outputs.error().message.find("com.example::Frobnicate"), std::string::npos);
  EXPECT_NE(outputs.error().message.find("'odd'"), std::string::npos);
}

}  // namespace
}  // namespace edgewright
