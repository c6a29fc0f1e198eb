#include "graph/text.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

constexpr std::string_view kGraph =
    R"(graph %main(%x: float32[1,batch,?], %"odd:0": int64[*]) -> (%y) {
  %w: float32[2] = {1.0, 2.5}
  %big: float32[3] = x"000000000000803f0000c07f"
  %a: float32[1,batch,?], _, %b: ? = Conv(%x, %w, _) {alpha=1.5, axes=[1, 2], name="q\"\n", none=ints[], t=int8[2]{-1, 2}} "node 1"
  %c: sequence(float32[*]) = com.example::Odd:two(%"odd:0")
  %y: bool[] = If(%b) {else_branch=graph %e() -> (%p) {
    %p: bool[] = Not(%b)
  }, then_branch=graph %t() -> (%q) {
    %q: bool[] = Identity(%b)
  }}
}
)";

TEST(Text, PrintOfParseIsTheSameText) {
  auto graph = parse_graph(kGraph);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  EXPECT_TRUE(violations(**graph).empty()) << violations(**graph)[0];
  TextOptions options;
  options.inline_elements = 2;
  EXPECT_EQ(print(**graph, options), kGraph);
}

TEST(Text, ModelLineSurvives) {
  const std::string text =
      "model {ir_version=8, opset=13, producer_name=\"p\", domain \"com.microsoft\"=1, "
      "metadata \"k\"=\"v\"}\ngraph %g() -> () {\n}\n";
  auto model = parse_model(text);
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(print(*model), text);
}

TEST(Text, ErrorsSayWhere) {
  const auto bad = parse_graph("graph %g() -> (%y) {\n  %y: float32[] = Neg(%x)\n}");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(bad.error().message.find("line 2"), std::string::npos) << bad.error().message;
}

TEST(Text, EveryTruncationAndByteChangeIsRefusedOrParsed) {
  const std::string text(kGraph);
  for (size_t i = 0; i < text.size(); ++i) {
    (void)parse_graph(std::string_view(text).substr(0, i)).ok();
    for (const char c : {'"', '{', '9', '\0', '%'}) {
      std::string changed = text;
      changed[i] = c;
      if (auto graph = parse_graph(changed); graph.ok()) {
        EXPECT_TRUE(violations(**graph).empty()) << changed;
      }
    }
  }
}

}  // namespace
}  // namespace edgewright
