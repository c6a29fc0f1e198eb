#include "llm/speculate.h"

#include <gtest/gtest.h>

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
