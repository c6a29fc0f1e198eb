#include "passes/pattern.h"

#include "passes/rewrite_check.h"

namespace edgewright {
namespace {

// Whether the pattern matches the producer of the graph's first output.
bool matches(std::string_view pattern, std::string_view body, std::string_view outputs = "%y") {
  const std::string text =
      fmt::format("graph %g(%a: float32[2,3], %b: float32[2,3]) -> ({}) {{\n{}\n}}", outputs, body);
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return Pattern(pattern).match(*(*graph)->outputs()[0]->producer).found();
}

TEST(Pattern, TriesBothOrdersOfCommutativeOperators) {
  constexpr std::string_view kBody = "%n: ? = Neg(%a)\n%y: ? = Add(%b, %n)";
  EXPECT_TRUE(matches("Add(Neg(x), z)", kBody));
  EXPECT_FALSE(matches("Add(Abs(x), z)", kBody));
  EXPECT_FALSE(matches("Sub(Neg(x), z)", "%n: ? = Neg(%a)\n%y: ? = Sub(%b, %n)"));
}

TEST(Pattern, SameNameMeansSameValueWhateverTheOrder) {
  EXPECT_TRUE(matches("Mul(x, Add(x, Neg(z)))",
                      "%n: ? = Neg(%b)\n%s: ? = Add(%n, %a)\n%y: ? = Mul(%s, %a)"));
  EXPECT_FALSE(matches("Mul(x, Add(x, Neg(z)))",
                       "%n: ? = Neg(%b)\n%s: ? = Add(%n, %a)\n%y: ? = Mul(%s, %b)"));
}

TEST(Pattern, ConstantsMatchUpToRounding) {
  const auto body = [](std::string_view number) {
    return fmt::format("%c: float32[] = {{{}}}\n%y: ? = Div(%a, %c)", number);
  };
  EXPECT_TRUE(matches("Div(x, 1.4142136)", body("1.41421")));
  EXPECT_FALSE(matches("Div(x, 1.4142136)", body("1.4145")));
  EXPECT_TRUE(matches("Div(x, #c)", body("7.0")));
  EXPECT_FALSE(matches("Div(x, #c)", "%y: ? = Div(%a, %b)"));
}

TEST(Pattern, NumberThatRaisesTheRankIsRefused) {
  EXPECT_TRUE(matches("Mul(x, 2)", "%c: float32[1,1] = {2.0}\n%y: ? = Mul(%a, %c)"));
  EXPECT_FALSE(matches("Mul(x, 2)", "%c: float32[1,1,1] = {2.0}\n%y: ? = Mul(%a, %c)"));
}

TEST(Pattern, InnerValuesMayNotBeSeenOutside) {
  constexpr std::string_view kBody = "%n: ? = Neg(%a)\n%y: ? = Abs(%n)\n%z: ? = Exp(%n)";
  EXPECT_TRUE(matches("Abs(Neg(x))", "%n: ? = Neg(%a)\n%y: ? = Abs(%n)"));
  EXPECT_FALSE(matches("Abs(Neg(x))", "%n: ? = Neg(%a)\n%y: ? = Abs(%n)", "%y, %n"));
  EXPECT_FALSE(matches("Abs(Neg(x))", kBody, "%y, %z"));
  EXPECT_TRUE(matches("Abs(&Neg(x))", kBody, "%y, %z"));
}

TEST(Pattern, OptionalPartsAndChoices) {
  const std::string_view kCast = "%c: ? = Cast(%a) {to=1}\n%y: ? = Abs(%c)";
  EXPECT_TRUE(matches("Abs(Cast?(x))", kCast));
  EXPECT_TRUE(matches("Abs(Cast?(x))", "%y: ? = Abs(%a)"));
  EXPECT_TRUE(matches("[Neg(x) | Abs(x)]", "%y: ? = Abs(%a)"));
  EXPECT_TRUE(matches("Neg|Abs(x)", "%y: ? = Abs(%a)"));
  EXPECT_TRUE(matches("Conv(x, w, b?)", "%y: ? = Conv(%a, %b)"));
  EXPECT_FALSE(matches("Conv(x, w, b)", "%y: ? = Conv(%a, %b)"));
  EXPECT_FALSE(matches("Conv(x, w)", "%y: ? = Conv(%a, %b, %b)"));
  EXPECT_TRUE(matches("Conv(x, ...)", "%y: ? = Conv(%a, %b, %b)"));
  EXPECT_TRUE(matches("com.microsoft::Gelu(x)", "%y: ? = com.microsoft::Gelu(%a)"));
  EXPECT_FALSE(matches("Gelu(x)", "%y: ? = com.microsoft::Gelu(%a)"));
}

TEST(Pattern, OffersValuesAndNodes) {
  auto graph =
      parse_graph("graph %g(%a: float32[2]) -> (%y) {\n%n: ? = Neg(%a)\n%y: ? = Abs(%n)\n}");
  ASSERT_TRUE(graph.ok());
  const Pattern pattern("n = Neg(x); Abs(n)");
  const Match match = pattern.match(*(*graph)->outputs()[0]->producer);
  ASSERT_TRUE(match);
  EXPECT_EQ(match["x"], (*graph)->inputs()[0]);
  EXPECT_EQ(match.node("n")->op, "Neg");
  EXPECT_EQ(match.nodes().size(), 2u);
}

TEST(Pattern, MalformedTextIsADefect) {
  EXPECT_THROW(Pattern("Add(x"), std::logic_error);
  EXPECT_THROW(Pattern("Add(x, y) z"), std::logic_error);
}

}  // namespace
}  // namespace edgewright
