#include "llm/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace edgewright {
namespace {

TEST(SamplerTest, GreedyTakesTheFirstOfEquals) {
  const std::vector<float> logits = {0, 3, 3, 1};
  EXPECT_EQ(likeliest(logits), 1);
}

TEST(SamplerTest, DistributionIsTheSoftmaxAtTemperature) {
  const std::vector<float> logits = {0, std::log(3.0f)};
  std::vector<float> p(2);
  distribution(logits, {.temperature = 1}, p);
  EXPECT_NEAR(p[1], 0.75f, 1e-6f);
  distribution(logits, {.temperature = 0.5f}, p);
  EXPECT_NEAR(p[1], 0.9f, 1e-6f);
}

TEST(SamplerTest, CutsLeaveTheLikeliestTokens) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f),
                                     std::log(0.05f)};
  std::vector<float> p(4);
  distribution(logits, {.temperature = 1, .top_k = 2}, p);
  EXPECT_NEAR(p[0], 0.625f, 1e-6f);
  EXPECT_EQ(p[2], 0);
  distribution(logits, {.temperature = 1, .top_p = 0.75f}, p);
  EXPECT_NEAR(p[1], 0.375f, 1e-6f);
  EXPECT_EQ(p[2], 0);
  distribution(logits, {.temperature = 1, .min_p = 0.25f}, p);
  EXPECT_GT(p[2], 0);
  EXPECT_EQ(p[3], 0);
}

// Among thousands of tokens, many of them alike: those that a sort of all of them keeps.
TEST(SamplerTest, CutsOfManyTokensAreThoseOfASort) {
  std::vector<float> logits(5000), found(5000);
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] = std::floor(static_cast<float>(12 * uniform(1, i))) / 2;
  }
  std::vector<float> whole(5000);
  distribution(logits, {.temperature = 1}, whole);
  std::vector<size_t> order(5000);
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  struct Case {
    int top_k;
    float top_p, min_p;
  };
  for (const auto& [top_k, top_p, min_p] :
       {Case{0, 0.001f, 0}, Case{0, 0.3f, 0}, Case{0, 0.97f, 0}, Case{40, 1, 0}, Case{700, 1, 0},
        Case{700, 0.5f, 0}, Case{3, 0.2f, 0}, Case{0, 1, 0.01f}, Case{0, 0.9f, 0.1f},
        Case{0, 0.3f, 0.1f}, Case{1700, 0.9f, 0.1f}, Case{1700, 0.5f, 0.01f}, Case{900, 1, 0.5f}}) {
    const size_t most = top_k > 0 ? static_cast<size_t>(top_k) : order.size();
    double total = 0, sum = 0;
    for (size_t i = 0; i < most; ++i) total += whole[order[i]];
    size_t kept = 0;
    while (kept < most && sum < top_p * total) sum += whole[order[kept++]];
    while (whole[order[kept - 1]] < min_p * whole[order[0]]) --kept;
    distribution(logits, {.temperature = 1, .top_k = top_k, .top_p = top_p, .min_p = min_p}, found);
    double left = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      ASSERT_EQ(found[order[i]] > 0, i < kept) << top_k << " " << top_p << " rank " << i;
      left += found[order[i]];
    }
    EXPECT_NEAR(left, 1, 1e-5);
  }
}

// At every temperature the likeliest token has its part, and what has none is never drawn.
TEST(SamplerTest, ExtremeTemperaturesAndLogitsStayDistributions) {
  const float none = -std::numeric_limits<float>::infinity();
  const std::vector<float> logits = {none, 2, 1, none, 2};
  std::vector<float> p(5);
  distribution(logits, {.temperature = 1e-41f}, p);
  EXPECT_EQ(p, (std::vector<float>{0, 0.5f, 0, 0, 0.5f}));
  distribution(logits, {.temperature = 1e30f}, p);
  EXPECT_NEAR(p[2], 1.0f / 3, 1e-6f);
  EXPECT_EQ(p[0], 0);
}

// A damaged model may give anything: a token of the vocabulary comes out of it all the same.
TEST(SamplerTest, BrokenLogitsStillGiveAToken) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinite = std::numeric_limits<float>::infinity();
  std::vector<float> scratch;
  for (const float broken : {nan, infinite, -infinite}) {
    for (const size_t sound : {size_t{0}, size_t{1}, size_t{150}}) {
      std::vector<float> logits(300, broken);
      for (size_t i = 0; i < sound; ++i) logits[2 * i] = static_cast<float>(uniform(1, i));
      for (const Sampling& sampling :
           {Sampling{}, Sampling{.temperature = 1}, Sampling{.temperature = 1, .top_k = 7},
            Sampling{.temperature = 1, .top_p = 0.9f}, Sampling{.temperature = 1, .min_p = 0.1f},
            Sampling{.temperature = 1, .top_k = 200, .top_p = 0.5f, .min_p = 0.1f}}) {
        auto copy = logits;
        const int token = edgewright::sample(copy, std::vector<int>{}, sampling, 3, scratch);
        EXPECT_TRUE(token >= 0 && token < 300) << token;
      }
      EXPECT_LE(likelihood(logits, 0, 20).likeliest.size(), 20u);
    }
  }
}

TEST(SamplerTest, DrawsBeyondTheSumAreTheLastToken) {
  std::vector<float> p(300, 0);
  p[3] = p[70] = p[200] = 0.25f;
  EXPECT_EQ(draw(p, 0), 3);
  EXPECT_EQ(draw(p, 0.25), 70);
  EXPECT_EQ(draw(p, 0.4999), 70);
  EXPECT_EQ(draw(p, 0.5), 200);
  EXPECT_EQ(draw(p, 0.9999), 200);
}

TEST(SamplerTest, PenaltyCountsATokenOnce) {
  std::vector<float> logits = {2, -2, 1};
  penalise(logits, std::vector<int>{0, 0, 1}, 2);
  EXPECT_EQ(logits, (std::vector<float>{1, -4, 1}));
}

TEST(SamplerTest, LogProbabilityIsOfTheSoftmax) {
  const std::vector<float> logits = {0, std::log(3.0f)};
  EXPECT_NEAR(log_probability(logits, 1), std::log(0.75), 1e-7);
}

TEST(SamplerTest, LikelihoodNamesTheLikeliestInOrder) {
  std::vector<float> logits(3000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(4 * uniform(3, i));
  logits[70] = logits[2900] = 5;
  const Likelihood found = likelihood(logits, 12, 3);
  ASSERT_EQ(found.likeliest.size(), 3u);
  EXPECT_EQ(found.likeliest[0].token, 70);
  EXPECT_EQ(found.likeliest[1].token, 2900);
  EXPECT_NEAR(found.likeliest[0].log_probability - found.log_probability, 5 - logits[12], 1e-5);
  double sum = 0;
  for (const TokenChance& each : likelihood(logits, 0, 5000).likeliest) {
    sum += std::exp(each.log_probability);
  }
  EXPECT_NEAR(sum, 1, 1e-6);
}

// Pearson's statistic against the distribution: 2 degrees of freedom, 13.8 is exceeded by chance
// once in a thousand seeds, and the seed is fixed.
TEST(SamplerTest, DrawsFollowTheDistribution) {
  const std::vector<float> p = {0.6f, 0.3f, 0.1f};
  std::vector<double> counts(3);
  constexpr int kDraws = 30000;
  for (uint64_t i = 0; i < kDraws; ++i) counts[static_cast<size_t>(draw(p, uniform(7, i)))]++;
  double statistic = 0;
  for (size_t i = 0; i < 3; ++i) {
    const double expected = static_cast<double>(p[i]) * kDraws;
    statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(statistic, 13.8);
}

TEST(SamplerTest, DrawsDependOnSeedIndexAndStreamOnly) {
  EXPECT_EQ(uniform(1, 2, 3), uniform(1, 2, 3));
  EXPECT_NE(uniform(1, 2, 3), uniform(1, 2, 4));
  EXPECT_NE(uniform(1, 2, 3), uniform(1, 3, 3));
  EXPECT_NE(uniform(1, 2, 3), uniform(2, 2, 3));
}

}  // namespace
}  // namespace edgewright
