#include "llm/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "llm/packed_file.h"
#include "llm/random_model.h"

namespace edgewright {
namespace {

using testing::IsEmpty;

constexpr int kVocabulary = 96;

class EngineTest : public testing::Test {
 protected:
  std::shared_ptr<const PackedModel> model(const char* precision = "fp32", int window = 0) {
    ModelConfig config = small_config(64, 2, 4, 2, 96, kVocabulary);
    if (window > 0) {
      config.window = window;
      config.windowed.assign(2, true);
    }
    auto made = random_model(config, precision, 1, pool_);
    EXPECT_TRUE(made.ok());
    return std::make_shared<const PackedModel>(*std::move(made));
  }

  Engine engine(const EngineOptions& options = {}, const char* precision = "fp32", int window = 0) {
    return {model(precision, window), tokenizer_, pool_, options};
  }

  static TextRequest request(int length, uint64_t seed = 0) {
    TextRequest request;
    for (int i = 0; i < length; ++i) {
      request.prompt.push_back(
          static_cast<int>((static_cast<uint64_t>(i) * 7 + seed) % kVocabulary));
    }
    request.max_tokens = 12;
    request.sampling.temperature = 1;
    request.sampling.seed = seed;
    return request;
  }

  static std::map<int64_t, TextResult> run(Engine& engine) {
    std::map<int64_t, TextResult> results;
    do {
      EXPECT_THAT(validate(engine.schedule()), IsEmpty());
      for (TextResult& result : engine.take_finished()) results[result.id] = std::move(result);
    } while (engine.step());
    for (TextResult& result : engine.take_finished()) results[result.id] = std::move(result);
    return results;
  }

  ThreadPool pool_{2};
  std::shared_ptr<const Tokenizer> tokenizer_ = number_tokenizer(kVocabulary);
};

TEST_F(EngineTest, RequestsTogetherGiveWhatEachGivesAlone) {
  for (const char* precision : {"fp32", "int8"}) {
    Engine together = engine({.cache_pages = 64, .prefill_tokens = 40}, precision);
    std::vector<int64_t> ids;
    ids.reserve(8);
    for (int i = 0; i < 8; ++i) {
      ids.push_back(*together.submit(request(5 + 23 * i, static_cast<uint64_t>(i))));
    }
    const auto results = run(together);
    for (int i = 0; i < 8; ++i) {
      Engine alone = engine({.reuse_prefixes = false}, precision);
      const int64_t id = *alone.submit(request(5 + 23 * i, static_cast<uint64_t>(i)));
      EXPECT_EQ(run(alone)[id].tokens, results.at(ids[static_cast<size_t>(i)]).tokens) << precision;
    }
  }
}

TEST_F(EngineTest, PrefixesAreReused) {
  Engine shared = engine({.cache_pages = 32});
  const int64_t first = *shared.submit(request(150));
  const TextResult one = run(shared).at(first);
  const int64_t second = *shared.submit(request(150));
  const TextResult two = run(shared).at(second);
  EXPECT_EQ(one.reused_tokens, 0);
  EXPECT_EQ(two.reused_tokens, 128);
  EXPECT_EQ(one.tokens, two.tokens);
  shared.trim();
  EXPECT_EQ(shared.cache().held_bytes(), 0u);
}

// What is said of the tokens of an answer is said of them again when they stand in a prompt: alone,
// beside others, after the prompt was stored, beside decoding and in a pipeline.
TEST_F(EngineTest, PromptsAreToldHowLikelyTheirTokensAre) {
  TextRequest first = request(150, 3);
  first.log_probabilities = true;
  first.likeliest = 4;
  Engine asked = engine({.cache_pages = 64});
  const int64_t id = *asked.submit(first);
  const TextResult answer = run(asked).at(id);
  ASSERT_EQ(answer.likelihoods.size(), answer.tokens.size());
  EXPECT_THAT(answer.prompt_likelihoods, IsEmpty());

  TextRequest again = first;
  again.prompt.insert(again.prompt.end(), answer.tokens.begin(), answer.tokens.end());
  again.prompt_log_probabilities = true;
  again.max_tokens = 0;
  const EngineOptions ways[] = {{.cache_pages = 64},
                                {.cache_pages = 64, .prefill_tokens = 40},
                                {.cache_pages = 64, .beside_tokens = 16},
                                {.cache_pages = 64, .stages = {{0}, {1}}}};
  for (size_t way = 0; way < std::size(ways); ++way) {
    Engine engine_of_way = engine(ways[way]);
    std::vector<int64_t> others = {*engine_of_way.submit(request(150, 3)),
                                   *engine_of_way.submit(request(40, 5))};
    engine_of_way.step();
    const int64_t same = *engine_of_way.submit(again);
    const auto results = run(engine_of_way);
    const TextResult& result = results.at(same);
    EXPECT_THAT(result.tokens, IsEmpty());
    EXPECT_EQ(results.at(others[0]).tokens, answer.tokens) << way;
    ASSERT_EQ(result.prompt_likelihoods.size(), again.prompt.size() - 1) << way;
    for (size_t i = 0; i < answer.tokens.size(); ++i) {
      const Likelihood& then = answer.likelihoods[i];
      const Likelihood& now = result.prompt_likelihoods[first.prompt.size() - 1 + i];
      EXPECT_NEAR(now.log_probability, then.log_probability, 1e-4) << way << " " << i;
      ASSERT_EQ(now.likeliest.size(), 4u);
      EXPECT_EQ(now.likeliest[0].token, then.likeliest[0].token) << way << " " << i;
      EXPECT_GE(then.likeliest[0].log_probability, then.log_probability);
      EXPECT_GE(then.likeliest[0].log_probability, then.likeliest[3].log_probability);
    }
  }
}

// An engine that is advised another number of threads on the way gives the same answers.
TEST_F(EngineTest, FewerThreadsGiveTheSameAnswer) {
  Engine free = engine();
  const int64_t first = *free.submit(request(40));
  const TextResult one = run(free).at(first);
  int steps = 0;
  Engine advised = engine({.advice = [&steps] {
    return EngineAdvice{.threads = ++steps % 3};  // 1 of 2, as many as there are, all
  }});
  const int64_t second = *advised.submit(request(40));
  EXPECT_EQ(run(advised).at(second).tokens, one.tokens);
  EXPECT_GT(steps, 6);
}

// The prompt of the next request is computed beside the answer of the only one that may decode.
TEST_F(EngineTest, PromptsBesideDecodingGiveTheSameAnswers) {
  for (const char* precision : {"fp32", "int8"}) {
    Engine beside = engine({.cache_pages = 64, .max_running = 1, .beside_tokens = 3}, precision);
    std::vector<int64_t> ids(6);
    int most_ahead = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
      ids[i] = *beside.submit(request(5 + 7 * static_cast<int>(i), i));
    }
    std::map<int64_t, TextResult> results;
    do {
      EXPECT_THAT(validate(beside.schedule()), IsEmpty());
      for (const ScheduledRequest& entry : beside.schedule().requests) {
        if (entry.ahead) most_ahead = std::max(most_ahead, entry.to_compute);
      }
      for (TextResult& result : beside.take_finished()) results[result.id] = std::move(result);
    } while (beside.step());
    EXPECT_GT(most_ahead, 0);
    for (int i = 0; i < 6; ++i) {
      Engine alone = engine({.beside_tokens = 1, .reuse_prefixes = false}, precision);
      const int64_t id = *alone.submit(request(5 + 7 * i, static_cast<uint64_t>(i)));
      EXPECT_EQ(run(alone)[id].tokens, results.at(ids[static_cast<size_t>(i)]).tokens) << precision;
    }
  }
}

// While one answer is decoded no other is, whatever is computed beside it.
TEST_F(EngineTest, PromptsBesideDecodingLeaveTheBatchAsItIs) {
  std::vector<std::string> told;
  EngineOptions options{.cache_pages = 64, .max_running = 1};
  options.on_phase = [&told](const EnginePhase& phase) { told.push_back(phase_text(phase)); };
  options.advice = [] { return EngineAdvice{.beside = 2}; };
  Engine shared = engine(options);
  for (uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(shared.submit(request(20, i)).ok());
  run(shared);
  // Only the first prompt has passes of its own: the others end within the answers before them.
  EXPECT_EQ(std::ranges::count_if(told, [](const auto& t) { return t.starts_with("prefill"); }), 1);
  EXPECT_TRUE(std::ranges::none_of(told, [](const auto& t) { return t.starts_with("decode 2"); }));
}

// Groups of requests in different stages at once, prompts in pieces, some cancelled on the way.
TEST_F(EngineTest, APipelineOfLayersGivesTheSameAnswers) {
  for (const char* precision : {"fp32", "int8"}) {
    Engine staged =
        engine({.cache_pages = 64, .max_running = 5, .prefill_tokens = 90, .stages = {{0}, {1}}},
               precision);
    std::vector<int64_t> ids(8);
    for (size_t i = 0; i < ids.size(); ++i) {
      ids[i] = *staged.submit(request(5 + 23 * static_cast<int>(i), i));
    }
    for (int i = 0; i < 4; ++i) staged.step();
    staged.cancel(ids[7]);
    staged.cancel(ids[1]);
    const auto results = run(staged);
    EXPECT_EQ(results.at(ids[7]).finish, FinishReason::kCancelled);
    EXPECT_EQ(results.at(ids[1]).finish, FinishReason::kCancelled);
    for (const int i : {0, 2, 3, 4, 5, 6}) {
      Engine alone = engine({.reuse_prefixes = false}, precision);
      const int64_t id = *alone.submit(request(5 + 23 * i, static_cast<uint64_t>(i)));
      EXPECT_EQ(run(alone)[id].tokens, results.at(ids[static_cast<size_t>(i)]).tokens) << precision;
    }
    staged.trim();
    EXPECT_EQ(staged.cache().free_pages(), 64);
  }
}

// Requests that come later do not wait for the ends of those that decode.
TEST_F(EngineTest, APipelineLetsEverybodyBegin) {
  EngineOptions options{.cache_pages = 64, .stages = {{0}, {1}}};
  int most = 0;
  options.on_phase = [&most](const EnginePhase& phase) { most = std::max(most, phase.batch); };
  Engine staged = engine(options);
  for (uint64_t i = 0; i < 5; ++i) ASSERT_TRUE(staged.submit(request(20, i)).ok());
  run(staged);
  EXPECT_EQ(most, 5);
}

// What a meter counts is divided among the requests, and none of it is lost.
TEST_F(EngineTest, RequestsBearTheEnergyOfTheirPasses) {
  const auto start = std::chrono::steady_clock::now();
  const auto joules = [start] {  // two watts, whatever happens
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    return std::optional(2 * passed.count());
  };
  auto ledger = std::make_shared<EnergyLedger>(joules);
  Engine metered = engine({.cache_pages = 64, .ledger = ledger});
  std::vector<int64_t> ids(4);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = *metered.submit(request(60, i));
  const double before = *joules();
  const auto results = run(metered);
  const double used = *joules() - before;
  double sum = 0;
  for (const int64_t id : ids) {
    const RequestEnergy& energy = results.at(id).energy;
    EXPECT_TRUE(energy.measured);
    EXPECT_GE(energy.readings, 1);
    EXPECT_GT(energy.energy_j, 0);
    sum += energy.energy_j;
  }
  EXPECT_LE(sum, used);
  EXPECT_GE(sum, 0.5 * (used - ledger->unassigned_j()));
}

TEST_F(EngineTest, ContextEndsOrSlides) {
  Engine small = engine({.context = 64});
  TextRequest stopping = request(60);
  stopping.max_tokens = 100;
  TextRequest sliding = stopping;
  sliding.overflow = Overflow::kSlide;
  const int64_t a = *small.submit(stopping);
  const int64_t b = *small.submit(sliding);
  const auto results = run(small);
  EXPECT_EQ(results.at(a).finish, FinishReason::kContext);
  EXPECT_EQ(results.at(a).tokens.size(), 5u);
  EXPECT_EQ(results.at(b).finish, FinishReason::kLength);
  EXPECT_EQ(results.at(b).tokens.size(), 100u);
  EXPECT_EQ(small.submit(request(64)).error().kind, ErrorKind::kUsage);
}

TEST_F(EngineTest, CancelledRequestsGiveTheirPagesBack) {
  Engine shared = engine({.cache_pages = 4, .reuse_prefixes = false});
  const int64_t first = *shared.submit(request(100));
  TextRequest second = request(100, 1);
  second.on_token = [](const TokenEvent&) { return false; };
  const int64_t other = *shared.submit(second);
  shared.step();
  shared.cancel(first);
  const auto results = run(shared);
  EXPECT_EQ(results.at(first).finish, FinishReason::kCancelled);
  EXPECT_EQ(results.at(other).finish, FinishReason::kCancelled);
  EXPECT_EQ(shared.cache().free_pages(), 4);
}

TEST_F(EngineTest, WindowedModelsGiveOldPagesBack) {
  Engine windowed = engine({.context = 512, .cache_pages = 8, .reuse_prefixes = false}, "fp32", 32);
  TextRequest long_request = request(10);
  long_request.max_tokens = 300;
  const int64_t id = *windowed.submit(long_request);
  int fewest_free = 8;
  while (windowed.step()) fewest_free = std::min(fewest_free, windowed.cache().free_pages());
  EXPECT_EQ(windowed.take_finished().at(0).id, id);
  EXPECT_GE(fewest_free, 6);
}

TEST_F(EngineTest, FullQueuesAndBadPromptsAreRefused) {
  Engine narrow = engine({.max_running = 1, .max_waiting = 1});
  EXPECT_TRUE(narrow.submit(request(4)).ok());
  EXPECT_EQ(narrow.submit(request(4)).error().kind, ErrorKind::kInternal);
  EXPECT_EQ(narrow.submit(TextRequest{}).error().kind, ErrorKind::kUsage);
  TextRequest wrong;
  wrong.prompt = {kVocabulary};
  EXPECT_EQ(narrow.submit(wrong).error().kind, ErrorKind::kUsage);
}

TEST_F(EngineTest, PackedFilesHoldTheSameModel) {
  const std::string path = testing::TempDir() + "engine_test.ewlm";
  const auto original = model("int4");
  ASSERT_TRUE(write_packed_model(path, *original).ok());
  auto read = read_packed_model(path);
  ASSERT_TRUE(read.ok()) << read.error().message;
  Engine first(original, tokenizer_, pool_, {});
  Engine second(std::make_shared<const PackedModel>(*std::move(read)), tokenizer_, pool_, {});
  const int64_t a = *first.submit(request(20));
  const int64_t b = *second.submit(request(20));
  EXPECT_EQ(run(first)[a].tokens, run(second)[b].tokens);
}

// The cache is one: the tokens after the prompt come from the light weights, those before from the
// others, and a threshold that nothing is below changes nothing.
TEST_F(EngineTest, EasyTokensAreComputedWithLightWeights) {
  const auto tokens_with = [&](double light_entropy, int& light_tokens) {
    Engine both = engine({.light = model("int4"), .light_entropy = light_entropy});
    const int64_t id = *both.submit(request(20));
    const TextResult result = run(both).at(id);
    light_tokens = result.light_tokens;
    return result.tokens;
  };
  Engine plain = engine();
  const int64_t id = *plain.submit(request(20));
  const std::vector<int> without = run(plain).at(id).tokens;
  int light = 0;
  EXPECT_EQ(tokens_with(0, light), without);
  EXPECT_EQ(light, 0);
  EXPECT_EQ(tokens_with(1e9, light).size(), without.size());
  EXPECT_EQ(light, static_cast<int>(without.size()) - 1);  // the prompt gives the first
}

TEST_F(EngineTest, TellsWhatItDoes) {
  std::vector<std::string> told;
  EngineOptions options{.prefill_tokens = 16};
  options.on_phase = [&told](const EnginePhase& phase) { told.push_back(phase_text(phase)); };
  Engine shared = engine(options);
  ASSERT_TRUE(shared.submit(request(20)).ok());
  run(shared);
  const std::vector<std::string> expected = {"prefill 16", "prefill 4", "decode 1 20", "idle"};
  EXPECT_EQ(told, expected);
}

TEST_F(EngineTest, TakesAdviceOnItsBatch) {
  EngineAdvice advice{.batch = 1};
  EngineOptions options{.cache_pages = 16};
  options.advice = [&advice] { return advice; };
  int most = 0;
  options.on_phase = [&most](const EnginePhase& phase) { most = std::max(most, phase.batch); };
  Engine shared = engine(options);
  for (uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(shared.submit(request(20, i)).ok());
  run(shared);
  EXPECT_EQ(most, 1);
  advice.batch = 0;
  for (uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(shared.submit(request(20, i)).ok());
  run(shared);
  EXPECT_EQ(most, 4);
}

}  // namespace
}  // namespace edgewright
