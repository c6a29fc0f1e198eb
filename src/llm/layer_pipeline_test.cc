#include "llm/layer_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "llm/random_model.h"

namespace edgewright {
namespace {

using testing::ElementsAre;

TEST(StageCpus, AreReadOrRefused) {
  EXPECT_EQ(*parse_stages("0-3/4,5/6-7"), (StageCpus{{0, 1, 2, 3}, {4, 5}, {6, 7}}));
  EXPECT_TRUE(parse_stages("none")->empty());
  for (const char* bad : {"", "0", "0-3", "0/", "/1", "0/0", "0-2/2", "0,/1", "3-1/4", "a/b",
                          "0/1x", "-1/2", "0/9999", "0-/1"}) {
    EXPECT_FALSE(parse_stages(bad).ok()) << bad;
  }
}

TEST(DivideLayers, FollowsSpeedsAndCosts) {
  const std::vector<double> even(8, 1);
  EXPECT_THAT(divide_layers(even, std::vector<double>{1, 1}), ElementsAre(0, 4, 8));
  EXPECT_THAT(divide_layers(even, std::vector<double>{3, 1}), ElementsAre(0, 6, 8));
  // Whoever is slow has one layer all the same.
  EXPECT_THAT(divide_layers(even, std::vector<double>{100, 1}), ElementsAre(0, 7, 8));
  EXPECT_THAT(divide_layers(std::vector<double>{1, 1, 1, 5}, std::vector<double>{1, 1}),
              ElementsAre(0, 3, 4));
}

// No other division has a quicker slowest stage.
TEST(DivideLayers, IsTheBestOfAll) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> costs(7), speeds(3);
    for (double& cost : costs) cost = 1 + random() % 9;
    for (double& speed : speeds) speed = 1 + random() % 4;
    const auto slowest = [&](int a, int b) {
      const int bounds[] = {0, a, b, 7};
      double most = 0;
      for (size_t s = 0; s < 3; ++s) {
        double cost = 0;
        for (int l = bounds[s]; l < bounds[s + 1]; ++l) cost += costs[static_cast<size_t>(l)];
        most = std::max(most, cost / speeds[s]);
      }
      return most;
    };
    double best = 1e9;
    for (int a = 1; a < 6; ++a) {
      for (int b = a + 1; b < 7; ++b) best = std::min(best, slowest(a, b));
    }
    const auto bounds = divide_layers(costs, speeds);
    EXPECT_DOUBLE_EQ(slowest(bounds[1], bounds[2]), best);
  }
}

// Pieces of several sequences and several pieces of one, at once: the bits of a decoder alone.
TEST(LayerPipeline, GivesTheBitsOfADecoder) {
  ThreadPool pool(1);
  constexpr int kVocabulary = 96;
  auto made = random_model(small_config(64, 5, 4, 2, 96, kVocabulary), "int8", 1, pool);
  ASSERT_TRUE(made.ok());
  const auto model = std::make_shared<const PackedModel>(*std::move(made));
  std::vector<int> tokens(40);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int>(i * 7 % kVocabulary);
  KvCache cache(model->config, language::CacheType::kF16, 8);
  const auto phase = language::Phase::kPrefill;

  SequenceCache plain(cache);
  ASSERT_TRUE(plain.reserve(40));
  Decoder decoder(model, pool);
  std::vector<float> expected(40 * kVocabulary);
  const DecoderRun whole{&plain, tokens, 40};
  decoder.run(std::span(&whole, 1), phase, expected);

  LayerPipeline pipeline(model, {{0}, {0}, {0}});
  SequenceCache first(cache), second(cache);
  ASSERT_TRUE(first.reserve(40));
  ASSERT_TRUE(second.reserve(40));
  std::vector<float> found[2];
  constexpr int kRows = 8;
  for (int from = 0; from < 40; from += kRows) {
    for (SequenceCache* sequence : {&first, &second}) {
      auto piece = std::make_unique<PipelinePiece>();
      piece->phase = phase;
      piece->runs = {
          {sequence, std::span(tokens).subspan(static_cast<size_t>(from), kRows), kRows, from}};
      pipeline.add(std::move(piece));
    }
  }
  for (size_t i = 0; i < 10; ++i) {
    const auto piece = pipeline.take();
    found[i % 2].insert(found[i % 2].end(), piece->logits.begin(), piece->logits.end());
  }
  EXPECT_EQ(found[0], expected);
  EXPECT_EQ(found[1], expected);
}

}  // namespace
}  // namespace edgewright
