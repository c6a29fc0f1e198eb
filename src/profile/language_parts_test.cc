#include "profile/language_parts.h"

#include <gtest/gtest.h>

#include "base/thread_pool.h"
#include "llm/random_model.h"
#include "profile/language_analysis.h"

namespace edgewright {
namespace {

// 4 heads of 16 with 2 of keys and values, 3 layers.
constexpr int kHidden = 64, kLayers = 3, kFfn = 96, kVocabulary = 128;
constexpr const char* kLayerParts[] = {"qkv",    "rope",    "attention", "output-projection",
                                       "ffn-up", "ffn-down"};

class LanguageParts : public testing::Test {
 protected:
  void SetUp() override {
    ThreadPool pool(1);
    auto model =
        random_model(small_config(kHidden, kLayers, 4, 2, kFfn, kVocabulary), "fp32", 7, pool);
    ASSERT_TRUE(model.ok());
    model_ = *std::move(model);
    cache_ = std::make_unique<KvCache>(model_.config, language::CacheType::kF16, 4);
  }
  PartWork work(std::string_view part, int layer, const LanguageCall& call) const {
    return part_work(model_, cache_->shape(), part, layer, call);
  }

  PackedModel model_;
  std::unique_ptr<KvCache> cache_;
};

TEST_F(LanguageParts, ProductsOfATokenReadEveryWeightOnce) {
  const LanguageCall call{false, 1, 10};
  int64_t bytes = work("head", -1, call).work.weight_bytes;
  int64_t products = work("head", -1, call).work.multiply_adds;
  for (int layer = 0; layer < kLayers; ++layer) {
    for (const char* part : kLayerParts) {
      const Work done = work(part, layer, call).work;
      bytes += done.weight_bytes;
      if (std::string_view(part) != "attention") products += done.multiply_adds;
    }
  }
  EXPECT_EQ(bytes, model_.bytes_per_token());
  // Per layer: q 64x64, k and v 32x64, output 64x64, gate, up and down 96x64; the head 128x64.
  EXPECT_EQ(products, kLayers * (64 * 64 * 2 + 2 * 32 * 64 + 3 * 96 * 64) + 128 * 64);
}

TEST_F(LanguageParts, AttentionOfAPromptLooksAtHalfASquare) {
  // Rows 0 .. 7 look at 1 .. 8 keys: 36 in all; 4 heads of 16, twice.
  const PartWork part = work("attention", 0, {true, 8, 0});
  EXPECT_EQ(part.work.multiply_adds, 2 * 36 * 4 * 16);
  EXPECT_EQ(work("attention", 0, {false, 1, 35}).work.multiply_adds, 2 * 36 * 4 * 16);
}

TEST_F(LanguageParts, SharesOfAFusedKernelAddUp) {
  for (const LanguageCall& call : {LanguageCall{true, 8, 0}, LanguageCall{false, 1, 20}}) {
    for (const char* part : kLayerParts) {
      const PartWork one = work(part, 1, call);
      if (one.fused.empty()) continue;
      int64_t sum = 0;
      for (const PartWork::Share& share : one.fused) sum += share.flops;
      EXPECT_EQ(sum, one.work.flops) << part;
    }
  }
}

TEST(PartTraffic, WeightsPassLevelsThatCannotHoldTheModel) {
  Roofs roofs;
  roofs.memory = {{"L1", 1000}, {"L2", 100000}, {"DRAM", 0}};
  Work work;
  work.weight_bytes = 500;
  work.bytes_read = 600;
  work.bytes_written = 50;
  const auto large = part_traffic(roofs, work, 1000000);
  EXPECT_EQ(large[0].bytes, 650);
  EXPECT_EQ(large[1].bytes, 500);
  EXPECT_EQ(large[2].bytes, 500);
  const auto small = part_traffic(roofs, work, 50000);
  EXPECT_EQ(small[1].bytes, 500);
  EXPECT_EQ(small[2].bytes, 0);
}

TEST_F(LanguageParts, RequestsAreMeasuredPartByPart) {
  ThreadPool pool(1);
  const auto model = std::make_shared<const PackedModel>(model_);
  Decoder decoder(model, pool);
  LanguageTimeOptions options;
  options.prompt_tokens = 9;
  options.new_tokens = 3;
  options.seconds = 0;
  const auto times = measure_language(decoder, *cache_, options);
  ASSERT_TRUE(times.ok());
  ASSERT_EQ(times->calls.size(), 4U);
  EXPECT_EQ(times->calls[3].call.context, 11);
  // Embedding, six parts a layer, head, choosing the token.
  EXPECT_EQ(times->calls[0].parts.size(), 1U + kLayers * 6U + 2U);
  Roofs roofs;
  roofs.memory = {{"L1", 1 << 15, false, {10}, {10}, {10}}, {"DRAM", 0, true, {5}, {5}, {5}}};
  roofs.compute = {{"float32", "any", {10}, {10}}};
  const Roofline roofline{&roofs, 1};
  const auto rows = analyse_language(model_, cache_->shape(), roofline, times->calls);
  double sum = 0;
  for (const ProfiledOperator& row : rows) {
    sum += row.time_us;
    EXPECT_EQ(row.calls, row.phase == "decode" ? 3 : 1) << row.name;
  }
  double calls = 0;
  for (const CallTimes& call : times->calls) calls += call.time_us;
  EXPECT_NEAR(sum, calls, 1e-6 * calls);
  double parts = 0;
  for (const BreakdownRow& row : by_part(rows)) parts += row.time_us;
  EXPECT_NEAR(parts, sum, 1e-6 * sum);
  options.new_tokens = 4000;
  EXPECT_EQ(measure_language(decoder, *cache_, options).error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace edgewright
