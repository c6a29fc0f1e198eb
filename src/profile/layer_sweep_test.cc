#include "profile/layer_sweep.h"

#include <gtest/gtest.h>

#include <set>

#include "profile/pace.h"

namespace edgewright {
namespace {

TEST(LayerSweep, TimesComeBackFromTheirFileAsTheyWere) {
  const std::vector<LayerTime> layers = {
      {0, 1.25, 0, 0, false}, {7, 0.0625, 1e6, 512, true, 24.5}, {1999, 350, 4096, 64, false}};
  const auto again = parse_layer_times(layer_times_to_csv(layers), "layers.csv");
  ASSERT_TRUE(again.ok()) << again.error().message;
  ASSERT_EQ(again->size(), layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ((*again)[i].index, layers[i].index);
    EXPECT_EQ((*again)[i].time_us, layers[i].time_us);
    EXPECT_EQ((*again)[i].others_bytes, layers[i].others_bytes);
    EXPECT_EQ((*again)[i].constant_bytes, layers[i].constant_bytes);
    EXPECT_EQ((*again)[i].is_generated, layers[i].is_generated);
    EXPECT_EQ((*again)[i].pace_us, layers[i].pace_us);
  }
}

TEST(LayerSweep, RefusesFilesThatItDidNotWrite) {
  for (const char* text : {"1\n",
                           "1,2\n",
                           "1,2,0\n",
                           "1,2,0,0\n",
                           "a,2,0,0,0,1\n",
                           "1,-2,0,0,0,1\n",
                           "1,0,0,0,0,1\n",
                           "1,inf,0,0,0,1\n",
                           "-1,2,0,0,0,1\n",
                           "99999999999,2,0,0,0,1\n",
                           ",,,,,\n",
                           "\n",
                           "1,2,-3,0,0,1\n",
                           "1,2,inf,0,0,1\n",
                           "1,2,0,nan,0,1\n",
                           "1,2,0,0,0\n",
                           "1,2,0,0,0,1x\n",
                           "1;2;3;4;0;1\n",
                           "1,2,0,0,2,1\n",
                           "1,2,0,0,-1,1\n",
                           "1,2,0,0,0,0\n",
                           "1,2,0,0,0,inf\n"}) {
    const auto read = parse_layer_times("edgewright.layers/9\n" + std::string(text), "layers.csv");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::kBadInput);
  }
}

TEST(LayerSweep, RefusesTimesOfAnotherSequence) {
  const auto read = parse_layer_times("edgewright.layers/6\n1,2\n", "layers.csv");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().kind, ErrorKind::kBadInput);
}

TEST(LayerSweep, BothHalvesHoldEveryKind) {
  Roofs roofs;
  roofs.step_us.value = 0.1;
  std::set<WorkKind> kinds[2];
  std::vector<LayerTime> layers(2000, {0, 1, 0, 0, false});
  for (size_t i = 0; i < layers.size(); ++i) layers[i].index = i;
  const std::vector<TimeSample> samples = samples_of(layers, {&roofs, 1}, 1);
  for (size_t i = 0; i < layers.size(); ++i) {
    kinds[is_held_back(layers[i]) ? 1 : 0].insert(samples[i].kind);
  }
  EXPECT_GE(kinds[0].size(), 6U);
  EXPECT_EQ(kinds[0], kinds[1]);
}

// A machine that is slower for a while makes no layer slower.
TEST(LayerSweep, SamplesAreTimesAtOnePace) {
  Roofs roofs;
  roofs.step_us.value = 0.1;
  const std::vector<LayerTime> layers = {
      {0, 10, 0, 0, false, 20}, {1, 30, 0, 0, false, 30}, {1, 60, 4096, 0, false, 60}};
  EXPECT_EQ(usual_pace_us(layers), 30);
  const auto samples = samples_of(layers, {&roofs, 1}, usual_pace_us(layers));
  ASSERT_EQ(samples.size(), 3U);
  EXPECT_DOUBLE_EQ(samples[0].time_us, 15);
  EXPECT_DOUBLE_EQ(samples[1].time_us, 30);
  EXPECT_DOUBLE_EQ(samples[2].time_us, 30);
}

// Weights that come from memory that others share do so at its pace, not at the core's.
TEST(LayerSweep, WaitingForSharedMemoryIsNoMatterOfTheCore) {
  constexpr size_t kProduct = 589;
  Roofs roofs;
  roofs.step_us.value = 0.1;
  MemoryRoof near{.name = "L2", .size_bytes = 8 << 20, .read_gb_s = {50, 0}};
  near.write_gb_s = {50, 0};
  MemoryRoof far{.name = "DRAM", .is_shared = true, .read_gb_s = {1e-3, 0}};
  far.write_gb_s = {1e-3, 0};
  roofs.memory = {near, far};
  const std::vector<LayerTime> layers = {{kProduct, 40, 0, 0, false, 20},
                                         {kProduct, 4000, 32e6, 0, false, 20}};
  const auto samples = samples_of(layers, {&roofs, 1}, 30);
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_DOUBLE_EQ(samples[0].time_us, 60);
  EXPECT_NEAR(samples[1].time_us, 4000, 10);
}

TEST(PaceMeter, MeasuresSomething) {
  auto pace = PaceMeter::create();
  ASSERT_TRUE(pace.ok()) << pace.error().message;
  EXPECT_GT(pace->round_us(), 0);
}

TEST(LayerSweep, LayersOfDisturbedMomentsDoNotCount) {
  std::vector<LayerTime> layers;
  const auto add = [&](size_t index, double alone_pace_us, double far_pace_us) {
    LayerTime layer{index, 10, 0, 0, false, alone_pace_us};
    layers.push_back(layer);
    layer.pace_us = far_pace_us;
    layers.push_back(layer);
  };
  for (size_t i = 0; i < 8; ++i) add(i, 20, 21);
  add(8, 20, 22);  // changed meanwhile
  add(9, 25, 25);  // held, but slow
  add(10, 22, 22);
  const std::vector<LayerTime> kept = undisturbed(layers);
  ASSERT_EQ(kept.size(), 18U);
  EXPECT_EQ(kept[15].index, 7U);
  EXPECT_EQ(kept[16].index, 10U);
  // Nothing is quiet on such a machine.
  for (LayerTime& layer : layers) layer.pace_us *= 1 + static_cast<double>(&layer - &layers[0]) / 4;
  EXPECT_EQ(undisturbed(layers).size(), layers.size());
}

}  // namespace
}  // namespace edgewright
