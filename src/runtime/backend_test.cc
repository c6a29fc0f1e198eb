#include "runtime/backend.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

TEST(Backend, AllGiveTheSameToTheirCallers) {
  for (const Backend& backend : backends()) {
    auto graph = std::make_unique<Graph>();
    const ValueType type = ValueType::tensor(DType::kFloat32, Shape{Dim(2)});
    Value* x = graph->add_input("x", type);
    Value* one = graph->add_input("one", type);
    one->constant = Tensor::of<float>({2}, {1, 1});
    Node* first = graph->add_node("Add", {x, one}, {"first"});
    first->outputs[0]->type = type;
    Node* second = graph->add_node("Add", {first->outputs[0], x}, {"second"});
    second->outputs[0]->type = type;
    graph->add_output(second->outputs[0]);

    ASSERT_EQ(find_backend(backend.name), &backend);
    auto session = backend.open(std::move(graph), {});
    ASSERT_TRUE(session.ok()) << session.error().message;
    ASSERT_EQ((*session)->inputs().size(), 1u);
    EXPECT_EQ((*session)->inputs()[0].name, "x");
    EXPECT_EQ((*session)->outputs()[0].name, "second");
    std::vector<std::string> seen;
    const std::vector<Datum> inputs = {Tensor::of<float>({2}, {3, 4})};
    auto outputs = (*session)->run(
        inputs, [&](const std::string& name, const Datum&) { seen.push_back(name); });
    ASSERT_TRUE(outputs.ok()) << outputs.error().message;
    EXPECT_EQ((*outputs)[0].tensor().data<float>()[1], 9.0f) << backend.name;
    EXPECT_EQ(seen, (std::vector<std::string>{"first", "second"})) << backend.name;
    EXPECT_GT((*session)->figures().first_inference_us, 0.0);
    EXPECT_FALSE((*session)->run({}).ok());
  }
  EXPECT_EQ(find_backend("abacus"), nullptr);
}

}  // namespace
}  // namespace edgewright
