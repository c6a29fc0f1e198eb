#include "verify/task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "verify/detection.h"
#include "verify/pareto.h"
#include "verify/significance.h"
#include "verify/text_metrics.h"

namespace edgewright {
namespace {

Datum scores(std::vector<float> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Tensor::of<float>({1, count}, std::span<const float>(values));
}

const TaskMetric& metric(const TaskResult& result, std::string_view name) {
  const auto it = std::ranges::find(result.metrics, name, &TaskMetric::name);
  EXPECT_NE(it, result.metrics.end()) << name;
  return *it;
}

TEST(Significance, McNemarCountsDiscordantPairs) {
  EXPECT_EQ(mcnemar_p_value(0, 0), 1);
  // Binomial(10, 1/2): P(X <= 1) = 11/1024, twice that.
  EXPECT_NEAR(mcnemar_p_value(1, 9), 22.0 / 1024, 1e-12);
  EXPECT_EQ(mcnemar_p_value(5, 5), 1);
}

TEST(Significance, PairedTMatchesTheTwoSampleCase) {
  // Two differences 1 and 3: t = 2 / (sqrt(2) / sqrt(2)) = 2 with one degree of freedom (Cauchy).
  const std::vector<double> differences = {1, 3};
  EXPECT_NEAR(paired_t_p_value(differences), 1 - 2 / M_PI * std::atan(2.0), 1e-12);
  EXPECT_EQ(paired_t_p_value(std::vector<double>{0, 0}), 1);
  EXPECT_EQ(paired_t_p_value(std::vector<double>{2, 2}), 0);
}

TEST(Classification, CountsAnswersAndConfusions) {
  const Tensor labels = Tensor::of<int64_t>({2}, {0, 1});
  auto scorer = make_task_scorer(labels, {});
  ASSERT_TRUE(scorer.ok());
  const Datum zero = scores({2, 1, 0}), one = scores({0, 3, 1});
  ASSERT_TRUE((*scorer)->add({&zero, 1}, {&zero, 1}, Tensor::scalar<int64_t>(0)).ok());
  ASSERT_TRUE((*scorer)->add({&one, 1}, {&zero, 1}, Tensor::scalar<int64_t>(1)).ok());
  const TaskResult result = (*scorer)->finish(0.5);
  EXPECT_EQ(metric(result, "top1").reference, 100);
  EXPECT_EQ(metric(result, "top1").candidate, 50);
  EXPECT_FALSE(metric(result, "top1").passed);
  EXPECT_EQ(metric(result, "top1").p_value, 1);  // one discordant pair says nothing
  EXPECT_EQ(result.agreement, 0.5);
  EXPECT_EQ(result.candidate_confusion[1][0], 1);
  EXPECT_FALSE((*scorer)->add({&one, 1}, {&one, 1}, Tensor::scalar<int64_t>(3)).ok());
}

TEST(Language, PerplexityOfUniformLogitsIsTheVocabulary) {
  const Tensor labels = Tensor::of<int64_t>({1, 3}, {1, -100, 2});
  auto scorer = make_task_scorer(labels, {});
  ASSERT_TRUE(scorer.ok());
  const Datum logits = Tensor::of<float>({1, 3, 4}, std::vector<float>(12, 0.5f));
  ASSERT_TRUE((*scorer)->add({&logits, 1}, {&logits, 1}, labels.reshaped({3})).ok());
  EXPECT_NEAR(metric((*scorer)->finish(0.5), "perplexity").candidate, 4, 1e-12);
}

TEST(Regression, LossIsRelative) {
  const Tensor labels = Tensor::of<float>({1, 2}, {0, 0});
  auto scorer = make_task_scorer(labels, {});
  ASSERT_TRUE(scorer.ok());
  const Datum near = scores({1, 1}), far = scores({1, 3});
  ASSERT_TRUE((*scorer)->add({&near, 1}, {&far, 1}, labels.reshaped({2})).ok());
  const TaskResult result = (*scorer)->finish(0.5);
  EXPECT_EQ(metric(result, "mse").candidate, 5);
  EXPECT_NEAR(metric(result, "mse").loss, 400, 1e-9);
  EXPECT_NEAR(metric(result, "mae").loss, 100, 1e-9);
}

TEST(Labels, OfUnknownKindAreRefused) {
  EXPECT_FALSE(make_task_scorer(Tensor::of<int64_t>({1, 1, 1}, {0}), {}).ok());
  EXPECT_FALSE(make_task_scorer(Tensor::of<float>({1, 1, 5}, {0, 0, 0, 1, 1}), {}).ok());
}

TEST(Bleu, PerfectAndPartialMatches) {
  const Tokens sentence = split_words("the cat sat on the mat");
  EXPECT_NEAR(bleu({sentence}, {sentence}), 100, 1e-9);
  // sacrebleu 2 with tokenize none: precisions 5/6, 3/5, 1/4 and 1/6 (smoothed from 0/3).
  const double expected = 100 * std::pow(5.0 / 6 * 3.0 / 5 * 1.0 / 4 * 1.0 / 6, 0.25);
  EXPECT_NEAR(bleu({split_words("the cat sat upon the mat")}, {sentence}), expected, 1e-9);
  EXPECT_EQ(bleu({split_words("nothing here")}, {sentence}), 0);
}

TEST(RougeL, IsTheF1OfTheLongestCommonSubsequence) {
  EXPECT_NEAR(rouge_l({split_words("a b c d")}, {split_words("a c e")}), 2 * 2.0 / 7, 1e-12);
}

TEST(Detection, AveragesOverThresholds) {
  DetectionImage image;
  image.expected = {{1, {0, 0, 10, 10}}};
  image.found = {{1, 0.9, {0, 0, 10, 8}}};  // IoU 0.8: right at 0.50 .. 0.80, seven of ten
  EXPECT_NEAR(mean_average_precision({&image, 1}), 0.7, 1e-12);
  image.found = {{1, 0.9, {50, 50, 60, 60}}, {1, 0.8, {0, 0, 10, 10}}};
  EXPECT_NEAR(mean_average_precision({&image, 1}), 0.5, 1e-12);
}

TEST(Detection, SuppressionKeepsTheBestOfEachLabel) {
  const auto kept = suppress_overlaps(
      {{1, 0.5, {0, 0, 10, 10}}, {1, 0.9, {1, 0, 10, 10}}, {2, 0.4, {0, 0, 10, 10}}}, 0.5);
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].score, 0.9);
  EXPECT_EQ(kept[1].label, 2);
}

TEST(Pareto, FrontAndKnee) {
  const std::vector<Costs> candidates = {{10, 0}, {1, 9}, {2, 1}, {3, 2}, {10, 9}};
  const auto front = pareto_front(candidates);
  EXPECT_EQ(front, (std::vector<size_t>{1, 2, 0}));
  EXPECT_EQ(knee_point(candidates, front), 2u);
}

}  // namespace
}  // namespace edgewright
