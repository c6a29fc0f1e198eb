// A wrong pass in the pipeline is named with its node, and the result is right all the same.
#include <gmock/gmock.h>

#include "formats/onnx/type_inference.h"
#include "graph/text.h"
#include "passes/pipeline.h"
#include "passes/rewrite.h"
#include "runtime/interpreter.h"

namespace edgewright {
namespace {

constexpr std::string_view kText = R"(graph %g(%x: float32[4], %z: float32[4]) -> (%y) {
  %a: float32[4] = Add(%x, %x) "harmless"
  %b: float32[4] = Neg(%z) "between"
  %c: float32[4] = Add(%a, %b) "harmed"
  %y: float32[4] = Exp(%c) "last"
})";

// a + b as 2 max(a, b): right only where both are the same.
Result<bool> rewrite_sum(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Add", [&](Graph& owner, Node& node) -> Result<bool> {
    if (!context.allow(node)) return false;
    Value* two = owner.add_constant("two", Tensor::scalar(2.0f));
    Node* larger = insert_node(context, owner, &node, "Max", node.inputs, "larger");
    replace_node(context, &node, "Mul", {larger->outputs[0], two});
    return true;
  });
}

std::vector<float> run(const Graph& graph) {
  Interpreter interpreter;
  const Datum inputs[] = {Tensor::of<float>({4}, {1.0f, -2.0f, 0.5f, 3.0f}),
                          Tensor::of<float>({4}, {0.5f, 1.5f, -1.0f, 2.0f})};
  const auto outputs = interpreter.run(graph, inputs);
  EXPECT_TRUE(outputs.ok());
  const auto elements = (*outputs)[0].tensor().elements<float>();
  return {elements.begin(), elements.end()};
}

TEST(PlantedFault, IsNamedAndUndone) {
  Model model;
  model.graph = *parse_graph(kText);
  const std::vector<float> expected = run(*model.graph);
  PipelineOptions options;
  options.extra_passes = {{"rewrite_sum", "wrong on purpose", rewrite_sum}};
  options.verify = [&](const Graph& graph) -> Status {
    if (run(graph) == expected) return {};
    return check_failed("output 'y' differs");
  };
  Interpreter interpreter;
  const auto report = optimise(model, options, onnx_type_inferer(), interpreter);
  ASSERT_TRUE(report.ok()) << report.error().message;
  const PassReport& wrong = report->passes.back();
  EXPECT_EQ(wrong.name, "rewrite_sum");
  EXPECT_THAT(wrong.faults, testing::ElementsAre("at node Add 'harmed': output 'y' differs"));
  EXPECT_TRUE(wrong.changed);  // the other sum was right
  EXPECT_EQ(run(*model.graph), expected);
}

}  // namespace
}  // namespace edgewright
