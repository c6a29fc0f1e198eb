#include "graph/window_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/dequantized.h"
#include "graph/text.h"

namespace edgewright {
namespace {

using testing::ElementsAre;

Model conv(const std::string& attributes) {
  auto model = parse_model(
      "graph %g(%x: float32[1,1,5,6], %w: float32[1,1,3,2]) -> (%y) {\n  %y: ? = "
      "Conv(%x, %w) {" +
      attributes + "}\n}");
  EXPECT_TRUE(model.ok()) << model.error().message;
  return *std::move(model);
}

std::optional<WindowFacts> facts(const std::string& attributes) {
  const Model model = conv(attributes);
  return window_facts(model.graph->nodes().front(), {1, 1, 5, 6}, {3, 2});
}

TEST(WindowFacts, DefaultsAreStepsOfOneWithoutPadding) {
  const auto window = facts("group=1");
  ASSERT_TRUE(window.has_value());
  EXPECT_THAT(window->strides, ElementsAre(1, 1));
  EXPECT_THAT(window->pads_begin, ElementsAre(0, 0));
  EXPECT_THAT(window->pads_end, ElementsAre(0, 0));
}

TEST(WindowFacts, PadsAreBeforeThenAfter) {
  const auto window = facts("pads=[1, 2, 3, 4]");
  ASSERT_TRUE(window.has_value());
  EXPECT_THAT(window->pads_begin, ElementsAre(1, 2));
  EXPECT_THAT(window->pads_end, ElementsAre(3, 4));
}

// 6 columns in steps of 2 make 3 places, which reach over 6: nothing is missing; 5 rows in steps of
// 2 make 3 places, which reach over 7.
TEST(WindowFacts, SameSplitsWhatIsMissing) {
  const auto upper = facts("auto_pad=\"SAME_UPPER\", strides=[2, 2]");
  ASSERT_TRUE(upper.has_value());
  EXPECT_THAT(upper->pads_begin, ElementsAre(1, 0));
  EXPECT_THAT(upper->pads_end, ElementsAre(1, 0));
  const auto lower = facts("auto_pad=\"SAME_LOWER\"");
  ASSERT_TRUE(lower.has_value());
  EXPECT_THAT(lower->pads_begin, ElementsAre(1, 1));
  EXPECT_THAT(lower->pads_end, ElementsAre(1, 0));
}

TEST(WindowFacts, WhatDoesNotFitIsNothing) {
  EXPECT_FALSE(facts("strides=[0, 1]").has_value());
  EXPECT_FALSE(facts("pads=[1, 1]").has_value());
  EXPECT_FALSE(facts("auto_pad=\"LEFT\"").has_value());
}

TEST(Dequantized, TakesScaleAndZeroPointOfTheChannel) {
  const auto model = parse_model(R"(graph %g() -> (%y) {
  %w: int8[2,2] = {1, 2, 3, 4}
  %s: float32[2] = {0.5, 2.0}
  %z: int8[2] = {1, 0}
  %y: ? = DequantizeLinear(%w, %s, %z) {axis=0}
})");
  ASSERT_TRUE(model.ok()) << model.error().message;
  const Node& node = model->graph->nodes().front();
  ASSERT_TRUE(is_dequantized_constant(node));
  const auto numbers = dequantized(node);
  ASSERT_TRUE(numbers.ok());
  EXPECT_THAT(*numbers->to_doubles(), ElementsAre(0, 0.5, 6, 8));
}

}  // namespace
}  // namespace edgewright
