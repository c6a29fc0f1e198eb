#include "llm/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace edgewright {
namespace {

using State = ScheduledRequest::State;
using testing::ElementsAre;
using testing::IsEmpty;

ScheduleState state_of(std::vector<ScheduledRequest> requests) {
  ScheduleState state;
  state.limits.total_pages = 10;
  state.limits.prefill_tokens = 512;
  state.requests = std::move(requests);
  return state;
}

TEST(ScheduleTest, AdmitsInOrderWhilePagesLast) {
  const ScheduleState state = state_of({{.id = 1, .to_compute = 100, .pages_wanted = 6},
                                        {.id = 2, .to_compute = 100, .pages_wanted = 6},
                                        {.id = 3, .to_compute = 100, .pages_wanted = 1}});
  EXPECT_THAT(validate(state), IsEmpty());
  // The third would fit, but overtaking would let large requests starve.
  EXPECT_THAT(plan_step(state).admitted, ElementsAre(1));
}

TEST(ScheduleTest, DecodesAllAndDealsPromptTokensOut) {
  ScheduleState state = state_of({{.id = 1, .state = State::kDecode, .pages_reserved = 1},
                                  {.id = 2, .state = State::kPrefill, .to_compute = 1000},
                                  {.id = 3, .state = State::kPrefill, .to_compute = 40}});
  const StepPlan plan = plan_step(state);
  EXPECT_THAT(plan.decode, ElementsAre(1));
  ASSERT_EQ(plan.prefill.size(), 2u);
  EXPECT_EQ(plan.prefill[0].tokens + plan.prefill[1].tokens, 512);
  state.turn = 1;
  EXPECT_EQ(plan_step(state).prefill[0].id, 3);
  EXPECT_EQ(plan_step(state).prefill[0].tokens, 40);
}

TEST(ScheduleTest, OneMoreIsAdmittedWherePromptsGoBesideDecoding) {
  ScheduleState state = state_of({{.id = 1, .state = State::kDecode, .pages_reserved = 1},
                                  {.id = 2, .to_compute = 100, .pages_wanted = 1},
                                  {.id = 3, .to_compute = 100, .pages_wanted = 1}});
  state.limits.max_running = 1;
  state.limits.beside_tokens = 4;
  StepPlan plan = plan_step(state);
  EXPECT_THAT(plan.admitted, ElementsAre(2));
  EXPECT_THAT(plan.ahead, ElementsAre(2));
  EXPECT_THAT(plan.decode, ElementsAre(1));
  EXPECT_TRUE(plan.prefill.empty());
  ASSERT_EQ(plan.beside.size(), 1u);
  EXPECT_EQ(plan.beside[0].tokens, 4);
  // Past its prompt it waits for the place, and nobody else comes before it has one.
  state.requests[1] = {
      .id = 2, .state = State::kDecode, .pages_reserved = 1, .ahead = true, .beside = true};
  EXPECT_THAT(validate(state), IsEmpty());
  plan = plan_step(state);
  EXPECT_THAT(plan.decode, ElementsAre(1));
  EXPECT_THAT(plan.admitted, IsEmpty());
  state.requests.erase(state.requests.begin());
  plan = plan_step(state);
  EXPECT_THAT(plan.placed, ElementsAre(2));
  EXPECT_THAT(plan.decode, ElementsAre(2));
  EXPECT_THAT(plan.ahead, ElementsAre(3));
}

TEST(ScheduleTest, ValidateNamesWhatIsBroken) {
  const ScheduleState state = state_of(
      {{.id = 1, .state = State::kDecode, .to_compute = 3}, {.id = 1, .pages_reserved = 2}});
  EXPECT_EQ(validate(state).size(), 3u);
}

}  // namespace
}  // namespace edgewright
