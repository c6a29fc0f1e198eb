#include "profile/roofline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profile/analysis.h"
#include "profile/cost_model.h"

namespace edgewright {
namespace {

Roofs textbook() {
  auto roofs = parse_roofs("peak=1e12,bandwidth=25.6e9");
  EXPECT_TRUE(roofs.ok());
  return *std::move(roofs);
}

// The ridge of 1 TFLOP/s over 25.6 GB/s is 1000 / 25.6 = 39.0625 FLOP/byte.
TEST(Roofline, RidgeOfTheTextbookDevice) {
  const Roofs roofs = textbook();
  EXPECT_DOUBLE_EQ((Roofline{&roofs, 1}.ridge(DType::kFloat32)), 39.0625);
}

Work convolution(int64_t channels, int64_t kernel, int64_t size) {
  Work work;
  work.kind = WorkKind::kConvolution;
  work.multiply_adds = channels * channels * kernel * kernel * size * size;
  work.flops = 2 * work.multiply_adds;
  work.weight_bytes = 4 * channels * channels * kernel * kernel;
  work.bytes_read = work.weight_bytes + 4 * channels * size * size;
  work.bytes_written = 4 * channels * size * size;
  return work;
}

// On the ridge of a machine that was measured our kernels take longer than its peak says, and hide
// the memory behind that; of a stated device the ridge itself parts the two.
TEST(Roofline, OnTheRidgeAMeasuredMachineIsBoundByArithmetic) {
  Roofs roofs = textbook();
  const Work point = convolution(128, 1, 56);
  const RoofTimes stated = roof_times({&roofs, 1}, point, {});
  ASSERT_NEAR(stated.intensity, 31.36, 0.005);  // 2 * 128^2 * 3136 / (4 * (2 * 128 * 3136 + 16384))
  EXPECT_EQ(bound_of(stated, roofs, stated.memory_us.back()), "DRAM");
  roofs.is_measured = true;
  const RoofTimes measured = roof_times({&roofs, 1}, point, {});
  EXPECT_EQ(bound_of(measured, roofs, measured.memory_us.back()), "compute");
  const RoofTimes below = roof_times({&roofs, 1}, convolution(32, 1, 56), {});
  EXPECT_EQ(bound_of(below, roofs, below.memory_us.back()), "DRAM");
}

TEST(Roofline, PlacesConvolutionsWhereTheArithmeticSays) {
  const Roofs roofs = textbook();
  const Roofline roofline{&roofs, 1};
  // 1 x 1 with 64 channels at 56 x 56: 2 * 64^2 * 3136 / (4 * (2 * 64 * 3136 + 4096)) = 15.84.
  const Work point = convolution(64, 1, 56);
  const RoofTimes below = roof_times(roofline, point, {});
  EXPECT_NEAR(below.intensity, 15.84, 0.005);
  EXPECT_NEAR(below.attainable_gop_s, 15.84 * 25.6, 0.2);
  EXPECT_EQ(bound_of(below, roofs, predict_us(roofline, point)), "DRAM");
  // 3 x 3: nine times the work on nearly the same bytes, 132.0 FLOP/byte.
  const Work square = convolution(64, 3, 56);
  const RoofTimes above = roof_times(roofline, square, {});
  EXPECT_NEAR(above.intensity, 2.0 * 64 * 64 * 9 * 3136 / (4 * (2 * 64 * 3136 + 36864)), 1e-9);
  EXPECT_DOUBLE_EQ(above.attainable_gop_s, 1000);
  EXPECT_EQ(bound_of(above, roofs, predict_us(roofline, square)), "compute");
}

// Minimal filtering of F(4 x 4, 3 x 3) multiplies a quarter of what is counted: its roof is as much
// higher, but for what memory allows.
TEST(Roofline, KernelsThatComputeLessHaveAHigherRoof) {
  const Roofs roofs = textbook();
  const Work square = convolution(64, 3, 56);
  ProfiledOperator row;
  row.time_us = 200;
  row.implementation = "conv2d_winograd2_f32_hwy";
  place_on_roofline({&roofs, 1}, square, {}, row);
  EXPECT_DOUBLE_EQ(row.attainable_gop_s, 2250);
  EXPECT_DOUBLE_EQ(row.efficiency, row.gop_s / 2250);
  row.implementation = "conv2d_winograd4_f32_hwy";
  place_on_roofline({&roofs, 1}, square, {}, row);
  EXPECT_NEAR(row.attainable_gop_s, row.intensity * 25.6, 1e-9);
  row.implementation = "conv2d_direct_f32_hwy";
  place_on_roofline({&roofs, 1}, square, {}, row);
  EXPECT_DOUBLE_EQ(row.attainable_gop_s, 1000);
}

TEST(Roofline, RefusesADeviceThatItCannotRead) {
  for (const char* text : {"", "peak=1e12", "peak=-1,bandwidth=1", "peak=1e12,bandwidth=x",
                           "peak=1e12,width=3,bandwidth=1"}) {
    const auto roofs = parse_roofs(text);
    ASSERT_FALSE(roofs.ok()) << text;
    EXPECT_EQ(roofs.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(roofs.error().message, testing::HasSubstr("bandwidth"));
  }
}

TEST(Roofline, ACacheThatHoldsTheOperandsKeepsThemFromMainMemory) {
  auto roofs = parse_roofs("peak=1e12,bandwidth=10e9,cache=1e6,cache_bandwidth=100e9");
  ASSERT_TRUE(roofs.ok());
  Work work;
  work.kind = WorkKind::kElementwise;
  work.bytes_read = work.bytes_written = 400'000;
  const auto inside = compulsory_traffic(*roofs, work);
  EXPECT_EQ(inside[0].bytes, 800'000);
  EXPECT_EQ(inside[1].bytes, 0);
  work.bytes_read = 700'000;
  EXPECT_EQ(compulsory_traffic(*roofs, work)[1].bytes, 1'100'000);
}

}  // namespace
}  // namespace edgewright
