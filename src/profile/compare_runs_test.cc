#include "profile/compare_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profile/advice.h"

namespace edgewright {
namespace {

// scipy.stats.mannwhitneyu(a, b, method="asymptotic") of SciPy: U = 3, p = 0.0601028.
TEST(CompareRuns, MannWhitneyAgreesWithSciPy) {
  const double a[] = {1.1, 2.2, 3.3, 4.4, 5.5}, b[] = {2.7, 6.1, 7.2, 8.3, 9.9};
  EXPECT_NEAR(mann_whitney_p(a, b), 0.0601028, 1e-6);
  EXPECT_DOUBLE_EQ(mann_whitney_p(a, a), 1);
}

TEST(CompareRuns, FewSamplesShowNothing) {
  const double a[] = {1, 2, 3}, b[] = {7, 8, 9};
  EXPECT_DOUBLE_EQ(mann_whitney_p(a, b), 1);
}

std::string document(const char* name, double shift) {
  std::string samples;
  for (int i = 0; i < 30; ++i) {
    samples += fmt::format("{}{}", i == 0 ? "" : ",", 10 + shift + 0.01 * i);
  }
  return fmt::format(
      R"({{"schema": "edgewright.profile/1", "model": "m", "wall_us": {0}, "wall_samples_us": [{1}],)"
      R"("operators": [{{"name": "{2}", "time_us": {0}, "samples_us": [{1}]}}]}})",
      10 + shift, samples, name);
}

TEST(CompareRuns, TellsChangesFromChance) {
  const auto changed = compare_profiles_text(document("a", 0), document("a", 1));
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  EXPECT_TRUE(changed->total.significant);
  EXPECT_TRUE(changed->operators[0].significant);
  const auto same = compare_profiles_text(document("a", 0), document("a", 0));
  EXPECT_FALSE(same->total.significant);
  // Certainly a shift, but no larger than what two processes differ by.
  const auto small = compare_profiles_text(document("a", 0), document("a", 0.4));
  EXPECT_LT(small->total.p_value, 0.001);
  EXPECT_FALSE(small->total.significant);
  EXPECT_FALSE(small->operators[0].significant);
  const auto renamed = compare_profiles_text(document("a", 0), document("b", 0));
  EXPECT_THAT(renamed->only_in_first, testing::ElementsAre("a"));
  EXPECT_THAT(renamed->only_in_second, testing::ElementsAre("b"));
  EXPECT_EQ(compare_profiles_text("{}", document("a", 0)).error().kind, ErrorKind::kBadInput);
}

TEST(CompareRuns, SaysWhatItCannotJudge) {
  const auto both = compare_profiles_text(document("a", 0), document("a", 1));
  EXPECT_TRUE(both->total.judged && both->operators[0].judged);
  EXPECT_TRUE(both->warnings.empty());
  // As `profile --device` writes it.
  const auto modelled = compare_profiles_text(
      document("a", 0), R"({"schema": "edgewright.profile/1", "model": "other", "wall_us": 1,)"
                        R"("operators": [{"name": "a", "time_us": 1}]})");
  EXPECT_FALSE(modelled->total.judged || modelled->operators[0].judged);
  EXPECT_FALSE(modelled->total.significant);
  EXPECT_THAT(modelled->warnings, testing::ElementsAre(testing::HasSubstr("different models"),
                                                       testing::HasSubstr("modelled")));
}

// Amdahl 1967: a half that becomes infinitely quick doubles the speed at most.
TEST(Advice, FollowsAmdahl) {
  EXPECT_DOUBLE_EQ(amdahl(0.5, 2), 1 / 0.75);
  EXPECT_NEAR(amdahl(0.5, 1e12), 2, 1e-6);
  EXPECT_DOUBLE_EQ(amdahl(0, 100), 1);
}

Roofs plain_roofs() {
  Roofs roofs;
  roofs.compute = {{"float32", "vector", {100, 0}, {100, 0}}};
  return roofs;
}

// 100 us of which a product that streams weights takes `product_us`.
ProfileReport report_of_weights(double product_us, int64_t bytes, int64_t count) {
  ProfileReport report;
  report.threads = 1;
  report.wall_us = 100;
  ProfiledOperator product;
  product.kind = "vector";
  product.bound = "DRAM";
  product.time_us = product_us;
  product.share = product_us / report.wall_us;
  product.bytes_read = product.weight_bytes = bytes;
  product.weight_count = count;
  report.operators = {product};
  return report;
}

TEST(Advice, LooksFirstAtWhatTheTimeWaitsFor) {
  ProfileReport report = report_of_weights(90, 1'000'000, 250'000);
  ProfiledOperator rest;
  rest.kind = "elementwise";
  rest.bound = "compute";
  rest.time_us = 10;
  rest.share = 0.1;
  rest.efficiency = 1;
  report.operators.push_back(rest);
  const auto advice = advise(report, plain_roofs());
  ASSERT_FALSE(advice.empty());
  EXPECT_THAT(advice[0].opportunity, testing::AnyOf("weights in int8", "batching"));
  const auto int8 = std::ranges::find(advice, "weights in int8", &AdviceRow::opportunity);
  ASSERT_NE(int8, advice.end());
  // 90 us become 22.5 us: 32.5 us in all.
  EXPECT_NEAR(int8->predicted_us, 32.5, 1e-9);
}

TEST(Advice, DoesNotRoundWeightsThatAreNarrowAlready) {
  const auto advised = [](int64_t weight_bytes) {
    const ProfileReport report = report_of_weights(100, weight_bytes, 800);
    std::vector<std::string> names;
    for (const AdviceRow& row : advise(report, plain_roofs())) {
      if (row.opportunity.starts_with("weights in")) names.push_back(row.opportunity);
    }
    return names;
  };
  using testing::ElementsAre;
  using testing::UnorderedElementsAre;
  EXPECT_THAT(advised(3200), UnorderedElementsAre("weights in int8", "weights in int4"));
  EXPECT_THAT(advised(850), ElementsAre("weights in int4"));  // int8 and its scales
  EXPECT_THAT(advised(450), ElementsAre());                   // int4 and its scales
}

}  // namespace
}  // namespace edgewright
