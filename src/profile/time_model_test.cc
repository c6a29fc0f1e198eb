#include "profile/time_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace edgewright {
namespace {

// Layers whose efficiency falls where the channels do not fill a block and for small ones.
std::vector<TimeSample> made_up(size_t count) {
  std::vector<TimeSample> samples;
  for (size_t i = 0; i < count; ++i) {
    TimeSample sample;
    sample.kind = WorkKind::kConvolution;
    const double size = 10 + static_cast<double>(i * 37 % 101) / 10;
    const double filled = 0.5 + static_cast<double>(i / 2 * 13 % 8) / 14;
    sample.features[25] = i % 3 == 0 ? 1 : 4;  // of bytes, of floats
    sample.features[4] = size;
    sample.features[15] = filled;
    sample.base_us = std::exp2(size) / 1000;
    sample.time_us = sample.base_us / filled * (size < 14 ? 2.0 : 1.3);
    if (i % 3 == 0) sample.time_us *= 0.25;
    samples.push_back(sample);
  }
  return samples;
}

TEST(TimeModel, PredictsLayersThatItHasNotSeen) {
  const auto all = made_up(600);
  std::vector<TimeSample> known, unseen;
  for (size_t i = 0; i < all.size(); ++i) (i % 2 == 0 ? known : unseen).push_back(all[i]);
  const auto model = TimeModel::fit(known);
  ASSERT_TRUE(model.ok());
  const TimeErrors errors = errors_of(*model, unseen);
  EXPECT_LT(errors.median, 0.02);
  EXPECT_LT(errors.p90, 0.10);
  EXPECT_TRUE(model->knows(WorkKind::kConvolution, all[0].features));
  EXPECT_TRUE(model->knows(WorkKind::kConvolution, all[1].features));
  EXPECT_FALSE(model->knows(WorkKind::kAttention, all[1].features));
}

TEST(TimeModel, ComesBackFromItsFileAsItWas) {
  const auto samples = made_up(100);
  const auto model = TimeModel::fit(samples);
  ASSERT_TRUE(model.ok());
  const auto read = TimeModel::parse(model->to_json(), "times.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  for (const TimeSample& sample : samples) {
    EXPECT_DOUBLE_EQ(read->predict_us(sample.features, sample.base_us),
                     model->predict_us(sample.features, sample.base_us));
  }
}

TEST(TimeModel, DataFromFurtherAwayTakesLonger) {
  Roofs roofs;
  for (const int64_t size_bytes : {int64_t{32} << 10, int64_t{1} << 20, int64_t{0}}) {
    MemoryRoof level;
    level.size_bytes = size_bytes;
    roofs.memory.push_back(level);
  }
  const Roofline roofline{&roofs, 1};
  Work work;
  work.kind = WorkKind::kConvolution;
  work.bytes_read = 100 << 10;  // alone it stays in the second level
  const double memory_us[] = {50, 20, 8};
  EXPECT_DOUBLE_EQ(within_plan_us(30, roofline, work, memory_us), 34);
  EXPECT_DOUBLE_EQ(within_plan_us(2, roofline, work, memory_us), 8);
  work.kind = WorkKind::kVector;
  EXPECT_DOUBLE_EQ(within_plan_us(30, roofline, work, memory_us), 30);
  work.bytes_read = 1 << 10;  // alone it stays in the first
  EXPECT_DOUBLE_EQ(within_plan_us(10, roofline, work, memory_us), 20);
}

TEST(TimeModel, RefusesFilesThatDoNotHoldTogether) {
  for (
      const char* text :
      {"", "{}", R"({"schema": "edgewright.times/3"})",
       R"({"schema": "edgewright.times/3", "forests": [{"offset": 0, "kinds": 1, "trees": []}]})",
       R"({"schema": "edgewright.times/3", "forests": [{"offset": 0, "kinds": 1, "trees": [[]]}, {}]})",
       R"({"schema": "edgewright.times/3", "forests": [{"offset": 0, "kinds": 1,
           "trees": [[[0, 1.0, 0, 0]]]}, {"offset": 0, "kinds": 1, "trees": []}]})",
       R"({"schema": "edgewright.times/3", "forests": [{"offset": 0, "kinds": 1,
           "trees": [[[99, 1.0, 1, 2]]]}, {"offset": 0, "kinds": 1, "trees": []}]})"}) {
    const auto read = TimeModel::parse(text, "f");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::kBadInput);
  }
  EXPECT_FALSE(TimeModel::fit(made_up(10)).ok());
}

}  // namespace
}  // namespace edgewright
