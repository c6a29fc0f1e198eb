#include <gtest/gtest.h>

#include "formats/onnx/schema_functions.h"
#include "graph/text.h"

namespace edgewright {
namespace {

TEST(ExpandFunction, BodyTakesThePlaceOfTheNode) {
  auto graph = parse_graph("graph %g(%x: float32[4]) -> (%y) {\n%y: float32[4] = Softplus(%x)\n}");
  ASSERT_TRUE(graph.ok());
  auto expanded = expand_function(**graph, (*graph)->nodes().front());
  ASSERT_TRUE(expanded.ok()) << expanded.error().message;
  EXPECT_TRUE(*expanded);
  EXPECT_TRUE(violations(**graph).empty());
  EXPECT_GT((*graph)->nodes().size(), 1u);
  EXPECT_EQ((*graph)->outputs()[0]->name, "y");
  auto plain = parse_graph("graph %g(%x: float32[4]) -> (%y) {\n%y: float32[4] = Exp(%x)\n}");
  EXPECT_FALSE(*expand_function(**plain, (*plain)->nodes().front()));
}

}  // namespace
}  // namespace edgewright
