#include "split/language_choice.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace edgewright {
namespace {

// A device ten times slower than the server, eight layers.
SharedTimes figures() {
  SharedTimes found;
  found.prompt_tokens = 400;
  found.answer_tokens = 20;
  found.layers = 8;
  found.device_prompt_ms = 4;
  found.device_step_ms = 10;
  found.server_prompt_ms = 0.4;
  found.server_step_ms = 1;
  found.has_prompt = found.has_layers = true;
  found.cache_bytes = 4096;
  found.state_bytes = 1024;
  found.link = {100, 100, 5000, 1};
  return found;
}

const LanguageWayPlan& of(const std::vector<LanguageWayPlan>& plans, LanguageWay way) {
  return *std::ranges::find(plans, way, &LanguageWayPlan::way);
}

TEST(LanguageChoice, TimesAreTheSumsOfTheirParts) {
  const auto plans = plan_language(figures());
  EXPECT_DOUBLE_EQ(of(plans, LanguageWay::kDevice).total_ms, 400 * 4 + 20 * 10);
  // 1,600 bytes up, 1.6384 MB down at 100 Mbit/s.
  EXPECT_NEAR(of(plans, LanguageWay::kPrompt).total_ms, 5 + 0.128 + 131.072 + 160 + 200, 1e-9);
  // One layer here: what is sent takes 32.768 ms for the prompt and 0.08192 for a token.
  const double way = 5 + 4 * 8 / 100e3;
  const double prompt = way + 32.768 + 400 * (4 / 8.0 + 0.4 * 7 / 8);
  const double step = way + 0.08192 + 10 / 8.0 + 7 / 8.0;
  EXPECT_NEAR(of(plans, LanguageWay::kLayers).total_ms, prompt + 19 * step, 1e-9);
  EXPECT_EQ(of(plans, LanguageWay::kLayers).device_layers, 1);
  EXPECT_EQ(plans.size(), 3U);
  EXPECT_EQ(plans[0].way, LanguageWay::kPrompt);
}

TEST(LanguageChoice, FollowsTheLink) {
  SharedTimes found = figures();
  found.link = {100, 100, 100, 1};
  EXPECT_EQ(plan_language(found)[0].way, LanguageWay::kLayers);
  found.link = {0.5, 0.5, 200000, 1};
  EXPECT_EQ(plan_language(found)[0].way, LanguageWay::kDevice);
}

TEST(LanguageChoice, DraftsWhereTheyPay) {
  SharedTimes found = figures();
  found.answer_tokens = 400;
  found.server_step_ms = 30;
  found.device_step_ms = 200;
  found.link = {100, 100, 5000, 1};
  found.draft = SpeculationCosts{1, 30, 1, 0};
  EXPECT_EQ(plan_language(found)[0].way, LanguageWay::kDraft);
  const SpeculationPlan plan = plan_speculation({1, 30, 1, 5}, found.acceptance);
  EXPECT_NEAR(of(plan_language(found), LanguageWay::kDraft).total_ms,
              5 + 160 + 400 * plan.ms_per_token, 1e-9);
  // Off beyond some round trip; then the large model makes 32 tokens at a time.
  found.link.round_trip_us = 500000;
  EXPECT_NEAR(of(plan_language(found), LanguageWay::kDraft).total_ms,
              500 + 160 + 400 * (30 + 500 / 32.0), 1e-9);
}

TEST(LanguageChoice, LeavesOutWhatTheServerLacks) {
  SharedTimes found = figures();
  found.has_prompt = found.has_layers = false;
  const auto plans = plan_language(found);
  ASSERT_EQ(plans.size(), 1U);
  EXPECT_EQ(plans[0].way, LanguageWay::kDevice);
}

}  // namespace
}  // namespace edgewright
