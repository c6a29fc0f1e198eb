#include "profile/time_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "device/roofs_file.h"

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

Roofs some_roofs() {
  const auto roofs = parse_roofs("peak=1e12,bandwidth=25.6e9");
  EDGEWRIGHT_CHECK(roofs.ok());
  return *roofs;
}

TEST(TimeModel, PredictsLayersThatItHasNotSeen) {
  const auto all = made_up(600);
  std::vector<TimeSample> known, unseen;
  for (size_t i = 0; i < all.size(); ++i) (i % 2 == 0 ? known : unseen).push_back(all[i]);
  const auto model = TimeModel::fit(known, some_roofs(), 1);
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
  const auto model = TimeModel::fit(samples, some_roofs(), 1);
  ASSERT_TRUE(model.ok());
  const auto read = TimeModel::parse(model->to_json(), "times.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(roofs_to_json(read->roofs()), roofs_to_json(model->roofs()));
  for (const TimeSample& sample : samples) {
    EXPECT_DOUBLE_EQ(read->predict_us(sample.features, sample.base_us),
                     model->predict_us(sample.features, sample.base_us));
  }
}

TEST(TimeModel, SaysWhatLiesFurtherAwayAndWhatIsGenerated) {
  const Attributes attributes;
  const Operation operation{"", "", "Relu", &attributes, {}, {}, 0};
  const Features alone = features_of(operation, {}, {}),
                 within = features_of(operation, {}, {4095, true});
  EXPECT_EQ(alone[kFeatures - 2], 0);
  EXPECT_EQ(within[kFeatures - 2], 12);
  EXPECT_EQ(alone.back(), 0);
  EXPECT_EQ(within.back(), 1);
}

// Between two neighbouring numbers no third lies that would part them.
TEST(TimeModel, NeighbouringNumbersAreParted) {
  std::vector<TimeSample> samples(60);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].base_us = 1;
    samples[i].time_us = i % 2 == 0 ? 1 : 4;
    samples[i].features[4] = i % 2 == 0 ? 1.0 : std::nextafter(1.0, 2.0);
    samples[i].features[25] = 4;
  }
  const auto model = TimeModel::fit(samples, some_roofs(), 1);
  ASSERT_TRUE(model.ok());
  EXPECT_NEAR(model->predict_us(samples[0].features, 1), 1, 0.05);
  EXPECT_NEAR(model->predict_us(samples[1].features, 1), 4, 0.2);
  EXPECT_TRUE(TimeModel::parse(model->to_json(), "times.json").ok());
}

TEST(TimeModel, RefusesFilesThatDoNotHoldTogether) {
  const std::string whole = R"({"schema": "edgewright.times/8", "roofs": )" +
                            roofs_to_json(some_roofs()) + R"(, "pace_us": 1, "forests": )";
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string(R"({"schema": "edgewright.times/8"})"),
        whole + R"([{"offset": 0, "kinds": 1, "trees": []}]})",
        whole + R"([{"offset": 0, "kinds": 1, "trees": [[]]}, {}]})",
        whole + R"([{"offset": 0, "kinds": 1,
           "trees": [[[0, 1.0, 0, 0]]]}, {"offset": 0, "kinds": 1, "trees": []}]})",
        whole + R"([{"offset": 0, "kinds": 1,
           "trees": [[[99, 1.0, 1, 2]]]}, {"offset": 0, "kinds": 1, "trees": []}]})"}) {
    const auto read = TimeModel::parse(text, "f");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::kBadInput);
  }
  EXPECT_FALSE(TimeModel::fit(made_up(10), some_roofs(), 1).ok());
}

}  // namespace
}  // namespace edgewright
