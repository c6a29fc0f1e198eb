#include "targets/support.h"

#include <gtest/gtest.h>

#include <memory>

#include "targets/check.h"

namespace edgewright {
namespace {

constexpr std::string_view kTable =
    "# framework toy: a framework for tests\n"
    "# hardware gpu,cpu\n"
    "# fallback yes\n"
    "# max-opset 1:11 2:17\n"
    "operators\ttypes\tversions\thardware\tlevel\trestriction\tbasis\tsource\n"
    "Relu\tfloat32\t>=2\tgpu\tnative\trank<=2\tdocumented\tbook\n"
    "Relu\t*\t*\t*\tcpu\t-\tdocumented\tbook\n"
    "Erf\t*\t*\tgpu\tcpu\t-\tdocumented\tbook\n"
    "Erf\t*\t*\tcpu\tnative\t-\tdocumented\tbook\n"
    "MatMul\t*\t*\t*\tnative\tconstant:1 static\tmeasured\trun\n";

Target toy(std::string version) {
  auto table = parse_support(kTable, "toy");
  EXPECT_TRUE(table.ok()) << table.error().message;
  return {*std::move(table), std::move(version), "gpu"};
}

ValueType matrix(int64_t rank) {
  return ValueType::tensor(DType::kFloat32, to_shape(Dims(static_cast<size_t>(rank), 4)));
}

TEST(Support, VersionsCompareByNumber) {
  EXPECT_LT(compare_versions("8.6", "8.10"), 0);
  EXPECT_EQ(compare_versions("8", "8.0"), 0);
  EXPECT_GT(compare_versions("10", "9.9.9"), 0);
}

TEST(Support, TheFirstFittingRowDecides) {
  Graph graph;
  Node* flat = graph.add_node("Relu", {graph.add_input("x", matrix(2))}, {"y"});
  Node* deep = graph.add_node("Relu", {graph.add_input("u", matrix(3))}, {"v"});
  EXPECT_EQ(find_support(toy("2.0"), *flat)->level, SupportLevel::kNative);
  EXPECT_EQ(find_support(toy("1.9"), *flat)->level, SupportLevel::kCpu);
  EXPECT_EQ(find_support(toy("2.0"), *deep)->level, SupportLevel::kCpu);
  EXPECT_EQ(max_opset(toy("1.5")), 11);
}

TEST(Support, RestrictionsLookAtConstantsAndShapes) {
  Graph graph;
  Value* x = graph.add_input("x", matrix(2));
  Value* weight = graph.add_constant("w", Tensor::of<float>({1, 1}, {1.0f}));
  weight->type = ValueType::of(*weight->constant);
  Node* fixed = graph.add_node("MatMul", {x, weight}, {"y"});
  fixed->outputs[0]->type = matrix(2);
  Node* moving = graph.add_node("MatMul", {x, x}, {"z"});
  moving->outputs[0]->type = matrix(2);
  EXPECT_NE(find_support(toy("1"), *fixed), nullptr);
  EXPECT_EQ(find_support(toy("1"), *moving), nullptr);
}

TEST(Support, RestrictionsLookAtRanksWordsAndKinds) {
  const auto table = parse_support(
      "# framework toy: a framework for tests\n"
      "# hardware gpu\n"
      "operators\ttypes\tversions\thardware\tlevel\trestriction\tbasis\tsource\n"
      "Conv\t*\t*\t*\tnative\trank=4 constant:2\tdocumented\tbook\n"
      "Resize\t*\t*\t*\tnative\tattribute:mode=linear\tdocumented\tbook\n"
      "Softmax\t*\t*\t*\tnative\tlast-axis\tdocumented\tbook\n"
      "Identity\t*\t*\t*\tnative\ttensors\tdocumented\tbook\n"
      "Relu\t*\t*\t*\tno\tunknown-rank\tdocumented\tbook\n"
      "Tanh\t*\t*\t*\tnative\tbatchless-rank<=3\tdocumented\tbook\n",
      "toy");
  ASSERT_TRUE(table.ok()) << table.error().message;
  const Target target{*table, "1", "gpu"};
  Graph graph;
  Value* image = graph.add_input("x", matrix(4));
  Value* line = graph.add_input("l", matrix(3));
  ValueType matrices;
  matrices.kind = ValueType::Kind::kSequence;
  matrices.element = std::make_shared<ValueType>(matrix(2));
  Value* list = graph.add_input("s", matrices);
  Value* shapeless = graph.add_input("r", ValueType::tensor(DType::kFloat32));
  // The bias is left out: nothing has to be constant.
  EXPECT_NE(find_support(target, *graph.add_node("Conv", {image, image}, {"a"})), nullptr);
  EXPECT_EQ(find_support(target, *graph.add_node("Conv", {image, image, image}, {"b"})), nullptr);
  EXPECT_EQ(find_support(target, *graph.add_node("Conv", {line, line}, {"c"})), nullptr);
  Node* resize = graph.add_node("Resize", {image}, {"d"});
  EXPECT_EQ(find_support(target, *resize), nullptr);
  resize->attributes.set("mode", std::string("linear"));
  EXPECT_NE(find_support(target, *resize), nullptr);
  Node* softmax = graph.add_node("Softmax", {image}, {"e"});
  EXPECT_NE(find_support(target, *softmax), nullptr);
  softmax->attributes.set("axis", int64_t{1});
  EXPECT_EQ(find_support(target, *softmax), nullptr);
  Node* tensor = graph.add_node("Identity", {image}, {"f"});
  tensor->outputs[0]->type = matrix(4);
  EXPECT_NE(find_support(target, *tensor), nullptr);
  EXPECT_EQ(find_support(target, *graph.add_node("Identity", {list}, {"g"})), nullptr);
  Node* shaped = graph.add_node("Relu", {image}, {"h"});
  shaped->outputs[0]->type = matrix(4);
  EXPECT_EQ(find_support(target, *shaped), nullptr);
  EXPECT_NE(find_support(target, *graph.add_node("Relu", {shapeless}, {"i"})), nullptr);
  Value* batch = graph.add_input("b", ValueType::tensor(DType::kFloat32, to_shape({1, 4, 4, 4})));
  EXPECT_NE(find_support(target, *graph.add_node("Tanh", {batch}, {"j"})), nullptr);
  EXPECT_EQ(find_support(target, *graph.add_node("Tanh", {image}, {"k"})), nullptr);
}

TEST(Support, EveryTableOfTheProgramIsRead) {
  EXPECT_GE(framework_names().size(), 7u);
  for (const std::string& name : framework_names()) {
    const auto table = load_support(name);
    ASSERT_TRUE(table.ok()) << table.error().message;
    EXPECT_EQ(table->framework, name);
    for (const SupportRow& row : table->rows) {
      // A document or a script, and a version of it or of the runtime that was asked.
      EXPECT_NE(row.source.find_first_of("0123456789"), std::string::npos) << name << row.source;
      EXPECT_TRUE(row.basis == "measured" || row.basis == "documented" || row.basis == "inferred")
          << name << ": " << row.basis;
    }
  }
}

TEST(Support, BadTablesAreRefusedWithTheirLine) {
  const auto bad = parse_support("# framework x: y\n# hardware cpu\nheading\nRelu\t*\n", "x");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(bad.error().message.find("x:4"), std::string::npos) << bad.error().message;
  EXPECT_EQ(find_target("toy", "").error().kind, ErrorKind::kUsage);
  EXPECT_EQ(find_target("nothing@1", "").error().kind, ErrorKind::kUsage);
  EXPECT_EQ(find_target("tensorrt@8", "fpga").error().kind, ErrorKind::kUsage);
}

TEST(Check, AFallbackIsCountedWithItsTransfers) {
  Graph graph;
  Value* x = graph.add_input("x", matrix(2));
  Node* first = graph.add_node("Relu", {x}, {"a"});
  Node* second = graph.add_node("Erf", {first->outputs[0]}, {"b"});
  Node* third = graph.add_node("Relu", {second->outputs[0]}, {"c"});
  for (Node* node : {first, second, third}) node->outputs[0]->type = matrix(2);
  graph.add_output(third->outputs[0]);
  TargetCheck check;
  check.accelerator_us = {1, 1, 1};
  check.cpu_us = {100, 2, 100};
  check.crossing_us = 5;
  check.open = [](const Node&) { return Opened{}; };
  check.original_operators = {"Relu", "Erf"};
  const TargetReport report = check_target(graph, toy("2"), check);
  EXPECT_EQ(report.nodes[0].placement, "native");
  EXPECT_EQ(report.nodes[1].placement, "cpu");
  EXPECT_EQ(report.transitions, 4);  // in, to the CPU, back, out
  EXPECT_DOUBLE_EQ(report.predicted_us, 1 + 2 + 1 + 4 * 5);
  EXPECT_DOUBLE_EQ(report.unconstrained_us, 3);
  EXPECT_TRUE(report.passed);
}

// Refused, or handed back to a CPU that has it not: nowhere, and the check fails.
TEST(Check, WhatIsRefusedRunsNowhere) {
  const auto table = parse_support(
      "# framework toy: a framework for tests\n"
      "# hardware gpu,cpu\n"
      "# fallback yes\n"
      "operators\ttypes\tversions\thardware\tlevel\trestriction\tbasis\tsource\n"
      "Relu\t*\t*\t*\tnative\t-\tdocumented\tbook\n"
      "Erf\t*\t*\tgpu\tcpu\t-\tdocumented\tbook\n"
      "*\t*\t*\t*\tno\t-\tdocumented\tbook\n",
      "toy");
  ASSERT_TRUE(table.ok()) << table.error().message;
  for (const char* op : {"Erf", "Exp"}) {
    for (const char* hardware : {"gpu", "cpu"}) {
      Graph graph;
      Node* first = graph.add_node("Relu", {graph.add_input("x", matrix(2))}, {"a"});
      Node* second = graph.add_node(op, {first->outputs[0]}, {"b"});
      for (Node* node : {first, second}) node->outputs[0]->type = matrix(2);
      graph.add_output(second->outputs[0]);
      TargetCheck check;
      check.accelerator_us = {10, 10};
      check.cpu_us = {1, 1};
      check.open = [](const Node&) { return Opened{}; };
      check.original_operators = {"Relu"};
      const TargetReport report = check_target(graph, {*table, "1", hardware}, check);
      EXPECT_EQ(report.nodes[1].placement, "no") << op << hardware;
      EXPECT_FALSE(report.passed) << op << hardware;
      // On the CPU itself nothing falls back, however quick that would be.
      if (std::string_view(hardware) == "cpu") {
        EXPECT_EQ(report.nodes[0].placement, "native");
      }
    }
  }
}

}  // namespace
}  // namespace edgewright
