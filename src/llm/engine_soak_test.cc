// Many requests of random lengths against one engine, some cancelled, some that overflow: none is
// lost, and in the end nothing is held. Run under the sanitizers too (presets asan, tsan).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "llm/engine.h"
#include "llm/random_model.h"

namespace edgewright {
namespace {

constexpr int kRequests = 200;
constexpr int kVocabulary = 64;

TextRequest random_request(std::mt19937& random) {
  const auto below = [&](unsigned limit) { return static_cast<int>(random() % limit); };
  TextRequest request;
  const int length = 1 + below(90);
  for (int i = 0; i < length; ++i) request.prompt.push_back(below(kVocabulary));
  // Some begin alike, so that prefixes are shared.
  if (below(2) == 0) std::fill_n(request.prompt.begin(), std::min(length, 70), 5);
  request.max_tokens = 1 + below(60);
  request.sampling.temperature = below(2) == 0 ? 0.0f : 1.0f;
  request.sampling.seed = random();
  if (below(3) == 0) request.overflow = Overflow::kSlide;
  if (below(4) == 0) request.stop_strings = {" 7"};
  if (below(8) == 0) {
    const int last = below(20);
    request.on_token = [last, count = 0](const TokenEvent&) mutable { return count++ < last; };
  }
  return request;
}

TEST(EngineSoakTest, NoRequestIsLostAndMemoryComesBack) {
  ThreadPool pool(2);
  auto model = random_model(small_config(32, 2, 2, 1, 64, kVocabulary), "int8", 3, pool);
  ASSERT_TRUE(model.ok());
  Engine engine(std::make_shared<const PackedModel>(*std::move(model)),
                number_tokenizer(kVocabulary), pool,
                {.context = 96, .cache_pages = 12, .max_running = 6, .prefill_tokens = 64});
  std::mt19937 random(11);
  std::set<int64_t> open;
  int refused = 0;
  int sent = 0;
  bool busy = true;
  while (sent < kRequests || busy) {
    for (int i = 0; i < 3 && sent < kRequests; ++i, ++sent) {
      const auto id = engine.submit(random_request(random));
      if (id.ok()) {
        open.insert(*id);
      } else {
        ++refused;
      }
    }
    busy = engine.step();
    if (random() % 7 == 0 && !open.empty()) engine.cancel(*open.begin());
    EXPECT_THAT(validate(engine.schedule()), testing::IsEmpty());
    for (const TextResult& result : engine.take_finished()) {
      EXPECT_NE(result.finish, FinishReason::kNone);
      EXPECT_EQ(open.erase(result.id), 1u);
    }
  }
  EXPECT_THAT(open, testing::IsEmpty());
  EXPECT_EQ(refused, 0);
  engine.trim();
  EXPECT_EQ(engine.cache().free_pages(), 12);
  EXPECT_EQ(engine.cache().held_bytes(), 0u);
}

}  // namespace
}  // namespace edgewright
