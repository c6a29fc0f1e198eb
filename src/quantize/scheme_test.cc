#include "quantize/scheme.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace edgewright {
namespace {

using testing::ElementsAre;

TEST(SchemeTest, ZeroIsExact) {
  for (const ValueRange range :
       {ValueRange{-0.37, 5.2}, ValueRange{0, 6}, ValueRange{-3, -1}, ValueRange{2, 9}}) {
    for (const char* name : {"u8s8", "s8s8"}) {
      const QuantParams params = activation_params(range, *scheme_by_name(name));
      EXPECT_EQ(params.round(0), 0);
      EXPECT_NEAR(params.round(static_cast<float>(range.high)), range.high, params.scale);
      EXPECT_NEAR(params.round(static_cast<float>(range.low)), range.low, params.scale);
    }
  }
}

// QuantizeLinear rounds half to even and saturates (ONNX operator specification).
TEST(SchemeTest, RoundsHalfToEvenAndSaturates) {
  const QuantParams params{1, 10, DType::kUint8, 0, 255};
  EXPECT_EQ(params.round(2.5f), 2);
  EXPECT_EQ(params.round(3.5f), 4);
  EXPECT_EQ(params.round(1000), 245);
  EXPECT_EQ(params.round(-1000), -10);
}

TEST(SchemeTest, SymmetricActivationsHaveTheirZeroInTheMiddle) {
  Scheme scheme = *scheme_by_name("s8s8");
  scheme.symmetric = true;
  const QuantParams params = activation_params({-1, 2}, scheme);
  EXPECT_EQ(params.zero_point, 0);
  EXPECT_FLOAT_EQ(params.real_high(), 2);
  EXPECT_FLOAT_EQ(params.real_low(), -2);
}

TEST(SchemeTest, WeightsHaveAScalePerChannel) {
  const Tensor weights = Tensor::of<float>({2, 3}, {1, -2, 0.5f, 10, 0, -127});
  const RoundedWeights rows = quantize_weights(weights, 0, 8);
  EXPECT_THAT(rows.scales, ElementsAre(2.0f / 127, 1.0f));
  EXPECT_EQ(rows.integers.data<int8_t>()[1], -127);
  EXPECT_EQ(rows.integers.data<int8_t>()[3], 10);
  const RoundedWeights columns = quantize_weights(weights, 1, 7);
  ASSERT_EQ(columns.scales.size(), 3u);
  EXPECT_EQ(columns.integers.data<int8_t>()[5], -63);
  const Tensor back = dequantize(rows);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(back.data<float>()[i], weights.data<float>()[i], rows.scales[0] / 2);
  }
}

// A channel without weights has a bias all the same; it must fit int32.
TEST(SchemeTest, BiasOfAnEmptyChannelFits) {
  const Tensor weights = Tensor::of<float>({1, 2}, {0, 0});
  const float input_scale = 1e-6f;
  const std::vector<float> least = {least_weight_scale(50, input_scale)};
  const RoundedWeights rounded = quantize_weights(weights, 0, 8, least);
  const auto bias = quantize_bias(std::vector<float>{50}, input_scale, rounded.scales);
  EXPECT_NEAR(static_cast<double>(bias[0]) * input_scale * rounded.scales[0], 50, 1e-3);
}

TEST(SchemeTest, SevenBitsOnlyWhereSumsSaturate) {
  std::string why;
  EXPECT_EQ(scheme_for(std::vector<std::string>{"avx2", "avx512_vnni"}, why).weight_bits, 8);
  EXPECT_EQ(scheme_for(std::vector<std::string>{"avx2", "sse4_2"}, why).weight_bits, 7);
  EXPECT_EQ(scheme_for(std::vector<std::string>{"asimd"}, why).weight_bits, 8);
  EXPECT_FALSE(scheme_by_name("u4s4").ok());
}

}  // namespace
}  // namespace edgewright
