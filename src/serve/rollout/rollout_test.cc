#include "serve/rollout/rollout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "serve/rollout/shadow.h"

namespace edgewright {
namespace {

using Comparison = Condition::Comparison;
using Phase = AnalysisPhase;
constexpr std::optional<Condition> kNone;
const Condition kAbove = {Comparison::kAtLeast, 0.95}, kBelow = {Comparison::kLess, 0.9};

// The rules of Argo Rollouts' analysis (docs/features/analysis.md, "Failure Conditions" and
// "Inconclusive Runs"; evaluateResult of its evaluator), row by row.
TEST(Analysis, JudgesSingleValues) {
  struct Row {
    std::optional<Condition> success, failure;
    std::optional<double> value;
    Phase expected;
  };
  const Row rows[] = {
      {kNone, kNone, 0.1, Phase::kSuccessful},
      {kAbove, kNone, 0.96, Phase::kSuccessful},
      {kAbove, kNone, 0.94, Phase::kFailed},
      {kNone, kBelow, 0.91, Phase::kSuccessful},
      {kNone, kBelow, 0.89, Phase::kFailed},
      {kAbove, kBelow, 0.96, Phase::kSuccessful},
      {kAbove, kBelow, 0.89, Phase::kFailed},
      {kAbove, kBelow, 0.92, Phase::kInconclusive},
      // Both hold: the failure condition comes first.
      {Condition{Comparison::kLess, 0.95}, kBelow, 0.5, Phase::kFailed},
      {kAbove, kBelow, std::nullopt, Phase::kError},
      {kAbove, kBelow, std::nan(""), Phase::kError},
      {kNone, kNone, std::nullopt, Phase::kError},
  };
  for (const Row& row : rows) {
    MetricSpec spec;
    spec.success = row.success;
    spec.failure = row.failure;
    EXPECT_EQ(judge(spec, row.value), row.expected) << &row - rows;
  }
}

// s: good, f: bad, i: between, e: error.
MetricState play(const MetricSpec& spec, std::string_view outcomes) {
  MetricState state;
  for (const char outcome : outcomes) {
    std::optional<double> value = outcome == 's' ? 1.0 : outcome == 'f' ? 0.0 : 0.92;
    if (outcome == 'e') value.reset();
    state = measure(spec, state, value);
  }
  return state;
}

TEST(Analysis, TruthTableOfCountsAndLimits) {
  struct Row {
    std::optional<int64_t> count;
    int64_t failure_limit, inconclusive_limit, error_limit;
    const char* outcomes;
    Phase expected;
  };
  const Row rows[] = {
      {3, 0, 0, 4, "", Phase::kPending},
      {3, 0, 0, 4, "ss", Phase::kRunning},
      {3, 0, 0, 4, "sss", Phase::kSuccessful},
      {3, 0, 0, 4, "f", Phase::kFailed},  // a limit of 0 is exceeded by the first
      {3, 1, 0, 4, "f", Phase::kRunning},
      {3, 1, 0, 4, "ff", Phase::kFailed},
      {3, 3, 0, 4, "fff", Phase::kSuccessful},  // the count is reached, the limit is not exceeded
      {3, 2, 0, 4, "fsf", Phase::kSuccessful},
      {5, 2, 0, 4, "fsff", Phase::kFailed},
      {3, -1, 0, 4, "fff", Phase::kSuccessful},  // no limit
      {3, 0, 0, 4, "i", Phase::kInconclusive},
      {3, 0, 1, 4, "i", Phase::kRunning},
      {3, 0, 1, 4, "ii", Phase::kInconclusive},
      {3, 0, 3, 4, "iii", Phase::kSuccessful},
      {3, 0, 0, 4, "eeee", Phase::kRunning},  // four errors in a row are allowed
      {3, 0, 0, 4, "eeeee", Phase::kError},
      {3, 0, 0, 4, "eeeeseeee", Phase::kRunning},  // a good one in between starts anew
      {3, 0, 0, 4, "ssees", Phase::kSuccessful},   // errors do not count
      {3, 0, 0, 0, "e", Phase::kError},
      {std::nullopt, 0, 0, 4, "ssssssssssss", Phase::kRunning},
      {std::nullopt, 2, 0, 4, "sfsfsf", Phase::kFailed},
      {3, 0, 0, 4, "sssf", Phase::kSuccessful},  // what is complete stays
      {3, 0, 0, 4, "fsss", Phase::kFailed},
  };
  for (const Row& row : rows) {
    MetricSpec spec{"m", kAbove, kBelow, row.count};
    spec.failure_limit = row.failure_limit;
    spec.inconclusive_limit = row.inconclusive_limit;
    spec.consecutive_error_limit = row.error_limit;
    EXPECT_EQ(play(spec, row.outcomes).phase, row.expected)
        << row.outcomes << " -> " << phase_name(play(spec, row.outcomes).phase);
  }
  MetricSpec once{"m", kAbove, kBelow};
  once.has_interval = false;
  EXPECT_EQ(play(once, "s").phase, Phase::kSuccessful);
  MetricSpec endless{"m", kAbove, kBelow};
  EXPECT_EQ(terminate(play(endless, "sss")).phase, Phase::kSuccessful);
  EXPECT_EQ(terminate(play(endless, "f")).phase, Phase::kFailed);
}

TEST(Analysis, TheWorstMetricDecides) {
  const auto of = [](std::initializer_list<Phase> phases) {
    std::vector<MetricState> states;
    for (const Phase phase : phases) states.push_back({phase});
    return worst(states);
  };
  EXPECT_EQ(of({Phase::kSuccessful, Phase::kRunning}), Phase::kRunning);
  EXPECT_EQ(of({Phase::kSuccessful, Phase::kInconclusive, Phase::kRunning}), Phase::kInconclusive);
  EXPECT_EQ(of({Phase::kError, Phase::kInconclusive}), Phase::kError);
  EXPECT_EQ(of({Phase::kError, Phase::kFailed}), Phase::kFailed);
  EXPECT_EQ(of({Phase::kSuccessful, Phase::kSuccessful}), Phase::kSuccessful);
}

RolloutState service_of(const char* version) {
  RolloutState state;
  state.service = version;
  return state;
}

// Flagger's documentation: "interval * (maxWeight / stepWeight)" to promote, "interval * threshold"
// to roll back.
TEST(Rollout, PromotesAndRollsBackInFlaggersTimes) {
  for (const RolloutPlan plan : {RolloutPlan{50, 2, 10, 60000}, RolloutPlan{50, 10, 5, 60000},
                                 RolloutPlan{30, 10, 3, 15000}}) {
    RolloutState good = begin(plan, service_of("1"), "2", 0), bad = good;
    int64_t promoted_ms = 0, rolled_back_ms = 0;
    for (int64_t now = 0; now < 3600000; now += 1000) {
      good = check(plan, good, Phase::kSuccessful, now);
      bad = check(plan, bad, Phase::kFailed, now);
      EXPECT_TRUE(violations(plan, good).empty() && violations(plan, bad).empty());
      if (good.phase == RolloutPhase::kPromoted && promoted_ms == 0) promoted_ms = now;
      if (bad.phase == RolloutPhase::kRolledBack && rolled_back_ms == 0) rolled_back_ms = now;
    }
    EXPECT_EQ(promoted_ms, promotion_ms(plan));
    EXPECT_EQ(rolled_back_ms, rollback_ms(plan));
    EXPECT_EQ(good.service, "2");
    EXPECT_EQ(bad.service, "1");
  }
  EXPECT_EQ(promotion_ms({50, 2, 10, 60000}), 25 * 60000);
  EXPECT_EQ(rollback_ms({50, 2, 10, 60000}), 10 * 60000);
}

TEST(Rollout, RollingBackTwiceIsHarmless) {
  const RolloutPlan plan;
  RolloutState state = begin(plan, service_of("1"), "2", 0);
  state = check(plan, state, Phase::kSuccessful, plan.interval_ms);
  EXPECT_EQ(state.weight, 10);
  const RolloutState once = roll_back(state, "asked for");
  const RolloutState twice = roll_back(once, "asked for again");
  EXPECT_EQ(once, twice);
  EXPECT_EQ(once.weight, 0);
  EXPECT_EQ(once.service, "1");
  EXPECT_EQ(check(plan, once, Phase::kSuccessful, 1000000), once);
  // A promoted model is not taken back by a late request.
  RolloutState promoted = begin(plan, service_of("1"), "2", 0);
  for (int i = 1; i <= 5; ++i) {
    promoted = check(plan, promoted, Phase::kSuccessful, i * plan.interval_ms);
  }
  EXPECT_EQ(promoted.phase, RolloutPhase::kPromoted);
  EXPECT_EQ(roll_back(promoted, "late"), promoted);
}

TEST(Rollout, InconclusiveChecksHoldAndANewCandidateBeginsAnew) {
  const RolloutPlan plan;
  RolloutState state = begin(plan, service_of("1"), "2", 0);
  state = check(plan, state, Phase::kSuccessful, plan.interval_ms);
  const int weight = state.weight;
  state = check(plan, state, Phase::kInconclusive, 2 * plan.interval_ms);
  EXPECT_EQ(state.weight, weight);
  EXPECT_EQ(state.phase, RolloutPhase::kProgressing);
  state = begin(plan, state, "3", 5000);
  EXPECT_EQ(state.candidate, "3");
  EXPECT_EQ(state.weight, 0);
  EXPECT_EQ(begin(plan, service_of("1"), "1", 0).phase, RolloutPhase::kIdle);
  state.weight = 80;
  state.bad_checks = 9;
  EXPECT_EQ(violations(plan, state).size(), 2U);
}

TEST(Rollout, RoutesStickAndFollowTheWeight) {
  RolloutState state = begin({}, service_of("1"), "2", 0);
  const int keys = 20000;
  std::vector<bool> before(keys, false);
  for (const int weight : {0, 10, 20, 50}) {
    state.weight = weight;
    int candidate = 0;
    for (int key = 0; key < keys; ++key) {
      const bool goes = goes_to_candidate(state, "user-" + std::to_string(key));
      EXPECT_TRUE(goes || !before[static_cast<size_t>(key)]);
      before[static_cast<size_t>(key)] = goes;
      candidate += goes ? 1 : 0;
    }
    EXPECT_NEAR(100.0 * candidate / keys, weight, 1.5);
  }
}

// Answers of ten classes; the candidate's scores differ by noise that flips the top answer of about
// `flips` of them.
ShadowState shadow_run(uint64_t seed, double flips) {
  std::mt19937_64 random(seed);
  std::bernoulli_distribution flip(flips);
  std::uniform_int_distribution<size_t> any(0, 9);
  ShadowTest test;
  ShadowState state;
  while (state.verdict == ShadowVerdict::kUndecided) {
    std::vector<float> service(10, 0), candidate(10, 0);
    const size_t answer = any(random);
    service[answer] = candidate[answer] = 5;
    if (flip(random)) candidate[(answer + 1) % 10] = 6;
    state = observe(test, state, {service, candidate, 2, 3});
  }
  return state;
}

TEST(Shadow, StopsAWorseCandidateAndPassesAnEqualOne) {
  int stopped = 0, passed = 0;
  int64_t longest = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    // Whoever loses five points of accuracy changes at least one answer in twelve: some changes
    // are from wrong to right or from wrong to wrong.
    const ShadowState worse = shadow_run(seed, 0.085), equal = shadow_run(seed + 1000, 0.01);
    stopped += worse.verdict == ShadowVerdict::kWorse ? 1 : 0;
    passed += equal.verdict == ShadowVerdict::kEqual ? 1 : 0;
    longest = std::max({longest, worse.requests, equal.requests});
  }
  std::printf("stopped %d of 200 worse ones, passed %d of 200 equal ones, at most %ld requests\n",
              stopped, passed, static_cast<long>(longest));
  EXPECT_GE(stopped, 190);
  EXPECT_GE(passed, 190);
  EXPECT_LE(longest, 300);
}

TEST(Shadow, MeasuresAgreementDivergenceAndLatency) {
  const std::vector<float> a = {0, 0}, b = {static_cast<float>(std::log(3.0)), 0};
  // KL((1/2, 1/2) || (3/4, 1/4)) = ln(1/2) - (ln(3/4) + ln(1/4)) / 2.
  EXPECT_NEAR(divergence(a, b), std::log(0.5) - 0.5 * (std::log(0.75) + std::log(0.25)), 1e-6);
  EXPECT_EQ(divergence(a, a), 0);
  ShadowTest test;
  test.refused_divergence = 0.05;
  test.few_requests = 3;
  ShadowState state;
  for (int i = 0; i < 2; ++i) state = observe(test, state, {a, b, 2, 5});
  EXPECT_EQ(state.verdict, ShadowVerdict::kUndecided);
  state = observe(test, state, {a, b, 2, 5});
  EXPECT_EQ(state.verdict, ShadowVerdict::kWorse);
  EXPECT_EQ(state.latency_ratio(), 2.5);
  EXPECT_EQ(state.agreement(), 1);
  const ShadowState empty = observe({}, {}, {a, {}, 1, 1});
  EXPECT_EQ(empty.flips, 1);
}

}  // namespace
}  // namespace edgewright
