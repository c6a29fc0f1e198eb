#include "serve/remote_speculation.h"

#include <gtest/gtest.h>

#include "llm/random_model.h"

namespace edgewright {
namespace {

constexpr int kVocabulary = 48;

// The target in this process, behind a link that is only reckoned.
class NearTarget : public RemoteTarget {
 public:
  NearTarget(std::shared_ptr<const PackedModel> model, ThreadPool& pool, double round_trip_us)
      : checker_(std::move(model), pool, 512), round_trip_us_(round_trip_us) {}
  Result<Reply> ask(const DraftQuestion& question) override {
    // What travels is what is asked.
    EDGEWRIGHT_ASSIGN(const DraftQuestion received,
                      decode_question(encode_question(question).inputs));
    Reply reply;
    EDGEWRIGHT_ASSIGN(reply.tokens, checker_.check(received));
    ++questions;
    reply.server_us = 30000 + 100 * question.drafted + 30000.0 * question.more;
    reply.elapsed_us = reply.server_us + round_trip_us_;
    return reply;
  }
  int questions = 0;

 private:
  DraftChecker checker_;
  double round_trip_us_;
};

class RemoteSpeculationTest : public testing::Test {
 protected:
  std::shared_ptr<const PackedModel> model(int layers, uint64_t seed) {
    auto made = random_model(small_config(64, layers, 4, 2, 96, kVocabulary), "int8", seed, pool_);
    EXPECT_TRUE(made.ok());
    return std::make_shared<const PackedModel>(*std::move(made));
  }
  RemoteSpeculationResult run(RemoteTarget& target, const std::shared_ptr<const PackedModel>& draft,
                              RemoteSpeculationOptions options) {
    const auto proposer = draft_model(draft, pool_, 512);
    std::vector<int> prompt;
    prompt.reserve(20);
    for (int i = 0; i < 20; ++i) prompt.push_back(i * 5 % 13);
    options.max_tokens = 70;
    auto result = speculate_over_link(target, *proposer, prompt, {}, options);
    EXPECT_TRUE(result.ok());
    return result.ok() ? *std::move(result) : RemoteSpeculationResult();
  }
  ThreadPool pool_{1};
};

TEST_F(RemoteSpeculationTest, TokensAreThoseOfTheTargetAloneWhateverIsDrafted) {
  const auto target_model = model(3, 1), bad = model(1, 2);
  for (const float temperature : {0.0f, 0.8f}) {
    RemoteSpeculationOptions options;
    options.sampling.temperature = temperature;
    options.sampling.seed = 5;
    options.length = 0;
    NearTarget target(target_model, pool_, 1000);
    const auto plain = run(target, bad, options).tokens;
    ASSERT_EQ(plain.size(), 70U);
    for (const int length : {-1, 1, 4, 8}) {
      options.length = length;
      EXPECT_EQ(run(target, bad, options).tokens, plain) << length;
      EXPECT_EQ(run(target, target_model, options).tokens, plain) << length;
    }
  }
}

TEST_F(RemoteSpeculationTest, GoodDraftsSaveRounds) {
  const auto target_model = model(3, 1);
  NearTarget target(target_model, pool_, 1000);
  RemoteSpeculationOptions options;
  options.length = 4;
  const auto result = run(target, target_model, options);
  EXPECT_EQ(result.accepted, result.proposed);
  EXPECT_LT(target.questions, 70 / 5 + 4);
}

TEST_F(RemoteSpeculationTest, OffWhereTheLinkIsTooSlow) {
  const auto target_model = model(3, 1);
  // Even if all were right, 64 drafts could not pay for two minutes.
  NearTarget target(target_model, pool_, 120e6);
  const auto result = run(target, target_model, {});
  EXPECT_EQ(result.rounds, 0);
  EXPECT_EQ(result.length, 0);
  EXPECT_EQ(result.predicted_speedup, 1);
}

TEST(Questions, AreReadWithinTheirRanges) {
  DraftQuestion question;
  question.tokens = {1, 2, 3, 4};
  question.prompt = 2;
  question.drafted = 1;
  question.more = 3;
  question.sampling = {0.5f, 7, 0.9f, 0.1f, 1.2f, 99};
  const auto read = decode_question(encode_question(question).inputs);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->tokens, question.tokens);
  EXPECT_EQ(read->prompt, 2);
  EXPECT_EQ(read->drafted, 1);
  EXPECT_EQ(read->more, 3);
  EXPECT_EQ(read->sampling.top_k, 7);
  EXPECT_EQ(read->sampling.seed, 99U);
  oip::InferRequest request = encode_question(question);
  request.inputs[0].name = "other";
  EXPECT_EQ(decode_question(request.inputs).error().kind, ErrorKind::kBadInput);
  request = encode_question(question);
  request.inputs[1].tensor = Tensor::of<float>({1}, std::vector<float>{1});
  EXPECT_EQ(decode_question(request.inputs).error().kind, ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
