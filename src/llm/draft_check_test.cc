#include "llm/draft_check.h"

#include <gtest/gtest.h>

#include "llm/engine.h"
#include "llm/random_model.h"
#include "llm/speculate.h"

namespace edgewright {
namespace {

constexpr int kVocabulary = 48, kPrompt = 20, kAnswer = 60;

class DraftCheckTest : public testing::TestWithParam<float> {
 protected:
  std::shared_ptr<const PackedModel> model(int layers, uint64_t seed) {
    auto made = random_model(small_config(64, layers, 4, 2, 96, kVocabulary), "int8", seed, pool_);
    EXPECT_TRUE(made.ok());
    return std::make_shared<const PackedModel>(*std::move(made));
  }
  DraftQuestion question(uint64_t seed) {
    DraftQuestion question;
    for (uint64_t i = 0; i < kPrompt; ++i) {
      question.tokens.push_back(static_cast<int>((i * 5 + seed) % 13));
    }
    question.prompt = kPrompt;
    question.sampling.temperature = GetParam();
    question.sampling.seed = seed;
    return question;
  }
  std::vector<int> alone(const std::shared_ptr<const PackedModel>& target,
                         const DraftQuestion& question) {
    Engine engine(target, number_tokenizer(kVocabulary), pool_, {});
    TextRequest request;
    request.prompt = question.tokens;
    request.max_tokens = kAnswer;
    request.sampling = question.sampling;
    request.ignore_end = true;
    EXPECT_TRUE(engine.submit(request).ok());
    while (engine.step()) {
    }
    return engine.take_finished().at(0).tokens;
  }
  // The answer by questions with so many drafted tokens and so many more.
  std::vector<int> asked(DraftChecker& checker, Proposer& proposer, DraftQuestion question,
                         int drafts, int more) {
    std::vector<int> answer;
    while (answer.size() < kAnswer) {
      const std::vector<int> before = question.tokens;
      const auto proposed = proposer.propose(before, drafts, question.sampling, answer.size());
      question.tokens.insert(question.tokens.end(), proposed.begin(), proposed.end());
      question.drafted = static_cast<int>(proposed.size());
      question.more = more;
      const auto chosen = checker.check(question);
      EXPECT_TRUE(chosen.ok()) << chosen.error().message;
      if (!chosen.ok()) return {};
      answer.insert(answer.end(), chosen->begin(), chosen->end());
      question.tokens = before;
      question.tokens.insert(question.tokens.end(), chosen->begin(), chosen->end());
    }
    answer.resize(kAnswer);
    return answer;
  }

  ThreadPool pool_{1};
};

TEST_P(DraftCheckTest, TokensAreThoseOfTheTargetAlone) {
  const auto target = model(3, 1), other = model(1, 2);
  DraftChecker checker(target, pool_, 512);
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const auto plain = alone(target, question(seed));
    for (const auto& [drafts, more] :
         {std::pair(0, 0), std::pair(0, 7), std::pair(1, 0), std::pair(4, 0), std::pair(3, 2)}) {
      const auto bad = draft_model(other, pool_, 512), good = draft_model(target, pool_, 512);
      EXPECT_EQ(asked(checker, *bad, question(seed), drafts, more), plain) << drafts << " " << more;
      EXPECT_EQ(asked(checker, *good, question(seed), drafts, more), plain)
          << drafts << " " << more;
    }
  }
}

TEST_P(DraftCheckTest, QuestionsOfSeveralMayAlternate) {
  const auto target = model(2, 3);
  DraftChecker checker(target, pool_, 512, 2);
  std::vector<DraftQuestion> questions = {question(0), question(1), question(2)};
  std::vector<std::vector<int>> answers(3);
  for (int round = 0; round < 10; ++round) {
    for (size_t i = 0; i < 3; ++i) {
      const auto chosen = checker.check(questions[i]);
      ASSERT_TRUE(chosen.ok());
      answers[i].push_back(chosen->at(0));
      questions[i].tokens.push_back(chosen->at(0));
    }
  }
  for (size_t i = 0; i < 3; ++i) {
    auto plain = alone(target, question(i));
    plain.resize(10);
    EXPECT_EQ(answers[i], plain);
  }
}

INSTANTIATE_TEST_SUITE_P(Temperatures, DraftCheckTest, testing::Values(0.0f, 0.9f));

TEST(DraftCheck, RefusesWhatDoesNotFit) {
  ThreadPool pool(1);
  auto made = random_model(small_config(64, 1, 4, 2, 96, kVocabulary), "int8", 1, pool);
  ASSERT_TRUE(made.ok());
  DraftChecker checker(std::make_shared<const PackedModel>(*std::move(made)), pool, 64);
  const auto kind = [&checker](const DraftQuestion& question) {
    const auto chosen = checker.check(question);
    return chosen.ok() ? ErrorKind::kInternal : chosen.error().kind;
  };
  EXPECT_EQ(kind({{}, 0, 0, 0, {}}), ErrorKind::kUsage);
  EXPECT_EQ(kind({{1, 2}, 1, 2, 0, {}}), ErrorKind::kUsage);
  EXPECT_EQ(kind({{1, kVocabulary}, 1, 0, 0, {}}), ErrorKind::kUsage);
  EXPECT_EQ(kind({{1, -1}, 1, 0, 0, {}}), ErrorKind::kUsage);
  EXPECT_EQ(kind({std::vector<int>(64, 1), 1, 0, 0, {}}), ErrorKind::kUsage);
  EXPECT_EQ(kind({{1, 2}, 1, 0, 1000, {}}), ErrorKind::kUsage);
}

}  // namespace
}  // namespace edgewright
