#include "llm/speculate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "llm/engine.h"
#include "llm/random_model.h"

namespace edgewright {
namespace {

constexpr int kVocabulary = 48;

class SpeculateTest : public testing::TestWithParam<float> {
 protected:
  std::shared_ptr<const PackedModel> model(int layers, uint64_t seed) {
    auto made = random_model(small_config(64, layers, 4, 2, 96, kVocabulary), "int8", seed, pool_);
    EXPECT_TRUE(made.ok());
    return std::make_shared<const PackedModel>(*std::move(made));
  }
  static TextRequest request(uint64_t seed, float temperature) {
    TextRequest request;
    for (uint64_t i = 0; i < 20; ++i) {
      request.prompt.push_back(static_cast<int>((i * 5 + seed) % 13));
    }
    request.max_tokens = 60;
    request.sampling.temperature = temperature;
    request.sampling.seed = seed;
    return request;
  }

  ThreadPool pool_{1};
  std::shared_ptr<const Tokenizer> tokenizer_ = number_tokenizer(kVocabulary);
};

TEST_P(SpeculateTest, TokensAreThoseOfTheTargetAlone) {
  const auto target = model(3, 1);
  // A good draft (the target itself), a bad one, and none.
  const auto other = model(1, 2);
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Engine engine(target, tokenizer_, pool_, {});
    ASSERT_TRUE(engine.submit(request(seed, GetParam())).ok());
    while (engine.step()) {
    }
    const TextResult plain = engine.take_finished().at(0);
    for (int kind = 0; kind < 3; ++kind) {
      Decoder decoder(target, pool_);
      KvCache cache(target->config, language::CacheType::kF16, 10);
      auto proposer =
          kind == 0 ? prompt_lookup() : draft_model(kind == 1 ? target : other, pool_, 512);
      SpeculationFigures figures;
      const TextResult quick = run_speculative(decoder, cache, *proposer, request(seed, GetParam()),
                                               *tokenizer_, 512, figures);
      EXPECT_EQ(quick.tokens, plain.tokens) << kind;
      EXPECT_EQ(quick.finish, plain.finish);
      EXPECT_EQ(cache.free_pages(), 10);
      if (kind == 1) {
        EXPECT_EQ(figures.accepted, figures.proposed);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Temperatures, SpeculateTest, testing::Values(0.0f, 1.0f));

// Of a chi-square variable: the value that it exceeds once in a hundred times (Wilson and Hilferty
// 1931; 2.326 is that of a normal variable).
double chi_square_limit(double degrees) {
  const double part = 2.0 / (9.0 * degrees);
  return degrees * std::pow(1 - part + 2.326 * std::sqrt(part), 3);
}

// The seventh token of an answer comes from the first round with a draft. Its frequencies over many
// seeds against those of the target alone over other seeds: two samples of one distribution.
TEST(SpeculationDistributionTest, ChiSquareDoesNotTellItFromTheTarget) {
  constexpr int kSmall = 12;
  constexpr size_t kPlace = 6;
  constexpr uint64_t kRuns = 3000;
  ThreadPool pool(1);
  const std::shared_ptr<const Tokenizer> tokenizer = number_tokenizer(kSmall);
  const auto make = [&](int layers, uint64_t seed) {
    auto made = random_model(small_config(32, layers, 2, 1, 32, kSmall), "int8", seed, pool);
    return std::make_shared<const PackedModel>(*std::move(made));
  };
  const auto target = make(2, 1);
  const auto draft = make(1, 2);
  const auto request = [&](uint64_t seed) {
    TextRequest made;
    made.prompt = {1, 5, 3, 5};
    made.max_tokens = kPlace + 4;
    made.ignore_end = true;
    made.sampling.temperature = 1;
    made.sampling.seed = seed;
    return made;
  };
  Decoder decoder(target, pool);
  KvCache cache(target->config, language::CacheType::kF16, 4);
  Engine engine(target, tokenizer, pool, {.context = 64, .reuse_prefixes = false});
  std::vector<double> counts[2] = {std::vector<double>(kSmall), std::vector<double>(kSmall)};
  int64_t proposed = 0;
  for (uint64_t seed = 0; seed < kRuns; ++seed) {
    ASSERT_TRUE(engine.submit(request(seed)).ok());
    while (engine.step()) {
    }
    const TextResult plain = engine.take_finished().at(0);
    auto proposer = draft_model(draft, pool, 64);
    SpeculationFigures figures;
    const TextResult quick = run_speculative(decoder, cache, *proposer, request(seed + 1000000),
                                             *tokenizer, 64, figures);
    proposed += figures.proposed;
    ++counts[0][static_cast<size_t>(plain.tokens.at(kPlace))];
    ++counts[1][static_cast<size_t>(quick.tokens.at(kPlace))];
  }
  EXPECT_GT(proposed, static_cast<int64_t>(kRuns));
  double statistic = 0;
  double degrees = -1;
  for (size_t token = 0; token < kSmall; ++token) {
    const double both = counts[0][token] + counts[1][token];
    if (both == 0) continue;
    ++degrees;
    statistic += std::pow(counts[0][token] - counts[1][token], 2) / both;
  }
  EXPECT_GE(degrees, 5);
  EXPECT_LT(statistic, chi_square_limit(degrees));
}

TEST(DraftPolicyTest, DraftsOnlyWhereTheyPay) {
  DraftPolicy cheap;
  cheap.saw_target(1, 100);
  cheap.saw_target(5, 110);
  cheap.saw_proposal(4, 20);
  EXPECT_GT(cheap.next_draft(5), 0);
  DraftPolicy dear;
  dear.saw_target(1, 100);
  dear.saw_target(5, 500);
  dear.saw_proposal(4, 200);
  EXPECT_EQ(dear.next_draft(5), 0);
}

TEST(DraftPolicyTest, TrialsOfWhatLosesGrowRare) {
  DraftPolicy losing;
  losing.saw_target(1, 100);
  losing.saw_target(5, 500);
  losing.saw_proposal(4, 400);
  int64_t trials = 0;
  for (int64_t round = 5; round < 5000; ++round) trials += losing.next_draft(round) > 0;
  EXPECT_GE(trials, 4);
  EXPECT_LE(trials, 9);
  DraftPolicy dearer(1.5);
  for (int64_t round = 0; round < 5000; ++round) EXPECT_EQ(dearer.next_draft(round), 0);
}

// Rounds of a policy on a machine where other programs take turns: every few steps one takes twenty
// times as long. Times in units of a plain step without them; `per_row`: of every further row.
struct BusyMachine {
  double per_row, proposal, acceptance;
  std::mt19937_64 random{1};

  double disturbed(double time) { return uniform(7, random()) < time / 6 ? time + 20 : time; }
  // Undisturbed time over that of plain steps, of so many tokens.
  double relative_time(int64_t tokens) {
    DraftPolicy policy;
    double time = 0;
    int64_t made = 0;
    for (int64_t round = 0; made < tokens; ++round) {
      const int draft = policy.next_draft(round);
      int right = 0;
      while (right < draft && uniform(8, random()) < acceptance) ++right;
      if (draft > 0) policy.saw_proposal(draft, disturbed(draft * proposal));
      policy.saw_target(draft + 1, disturbed(1 + draft * per_row));
      policy.saw_acceptance(draft, right);
      time += draft * proposal + 1 + draft * per_row;
      made += right + 1;
    }
    return time / static_cast<double>(made);
  }
};

TEST(DraftPolicyTest, ABusyMachineNeitherHidesALossNorAGain) {
  double losing = 0, gaining = 0;
  constexpr int kRuns = 100;
  for (uint64_t run = 0; run < kRuns; ++run) {
    BusyMachine machine{.per_row = 0.3, .proposal = 0.2, .acceptance = 0.05};
    machine.random.seed(run);
    losing += machine.relative_time(96) / kRuns;
    machine.per_row = machine.proposal = 0.05;
    machine.acceptance = 0.7;
    gaining += machine.relative_time(96) / kRuns;
  }
  fmt::print("time over that of plain steps: {:.3f} losing, {:.3f} gaining\n", losing, gaining);
  // Without disturbance 1.045 and 0.537.
  EXPECT_LT(losing, 1.08);
  EXPECT_LT(gaining, 0.58);
}

TEST(DraftPolicyTest, SpeedUpIsTokensOverCosts) {
  DraftPolicy policy;
  policy.saw_target(1, 100);
  policy.saw_target(3, 120);
  policy.saw_proposal(2, 20);
  const double a = policy.acceptance();
  EXPECT_NEAR(policy.predicted_speedup(2), (1 + a + a * a) * 100 / (20 + 120), 1e-9);
}

}  // namespace
}  // namespace edgewright
