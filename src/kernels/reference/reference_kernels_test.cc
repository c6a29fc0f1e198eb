#include <gtest/gtest.h>

#include <limits>

#include "kernels/fused/inner_call.h"

namespace edgewright {
namespace {

Tensor ramp(Dims dims) {
  Tensor tensor = *Tensor::allocate(DType::kFloat32, std::move(dims));
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    tensor.mutable_data<float>()[i] = static_cast<float>(i);
  }
  return tensor;
}

Attributes with(std::initializer_list<std::pair<std::string, AttributeValue>> entries) {
  Attributes attributes;
  for (const auto& [name, value] : entries) attributes.set(name, value);
  return attributes;
}

TEST(ConvReference, SumsWindowsAndPads) {
  const Tensor w = Tensor::of<float>({1, 1, 2, 2}, {1, 2, 3, 4});
  const Result<Tensor> y = InnerCall::run("Conv", {}, {ramp({1, 1, 3, 3}), w});
  ASSERT_TRUE(y.ok()) << y.error().message;
  EXPECT_TRUE(identical(*y, Tensor::of<float>({1, 1, 2, 2}, {27, 37, 57, 67})));
  const Result<Tensor> padded = InnerCall::run(
      "Conv",
      with({{"auto_pad", std::string("SAME_UPPER")}, {"strides", std::vector<int64_t>{2, 2}}}),
      {ramp({1, 1, 3, 3}), w});
  ASSERT_TRUE(padded.ok()) << padded.error().message;
  EXPECT_TRUE(identical(*padded, Tensor::of<float>({1, 1, 2, 2}, {27, 17, 20, 8})));
}

TEST(ConvReference, TransposeSpreadsWhatConvGathers) {
  const Tensor x = Tensor::of<float>({1, 1, 2}, {1, 10});
  const Tensor w = Tensor::of<float>({1, 1, 3}, {1, 2, 3});
  const Result<Tensor> y =
      InnerCall::run("ConvTranspose", with({{"strides", std::vector<int64_t>{2}}}), {x, w});
  ASSERT_TRUE(y.ok()) << y.error().message;
  EXPECT_TRUE(identical(*y, Tensor::of<float>({1, 1, 5}, {1, 2, 13, 20, 30})));
}

TEST(ConvReference, RefusesWhatDoesNotFit) {
  const Tensor x = ramp({1, 2, 3, 3});
  const std::vector<std::pair<Attributes, Dims>> cases = {
      {{}, {1, 3, 2, 2}},                                                   // channels
      {{}, {1, 2, 4, 4}},                                                   // larger than the input
      {with({{"group", int64_t{0}}}), {1, 2, 2, 2}},                        // no group
      {with({{"group", int64_t{-3}}}), {1, 2, 2, 2}},                       // negative groups
      {with({{"strides", std::vector<int64_t>{0, 1}}}), {1, 2, 2, 2}},      // no stride
      {with({{"strides", std::vector<int64_t>{1}}}), {1, 2, 2, 2}},         // too few
      {with({{"pads", std::vector<int64_t>{-1, 0, 0, 0}}}), {1, 2, 2, 2}},  // cropping
      {with({{"dilations", std::vector<int64_t>{int64_t{1} << 62, 1}}}), {1, 2, 2, 2}},
      {with({{"kernel_shape", std::vector<int64_t>{3, 3}}}), {1, 2, 2, 2}},
      {with({{"auto_pad", std::string("SOME")}}), {1, 2, 2, 2}},
  };
  for (const auto& [attributes, w] : cases) {
    const Result<Tensor> y = InnerCall::run("Conv", attributes, {x, ramp(w)});
    ASSERT_FALSE(y.ok());
    EXPECT_EQ(y.error().kind, ErrorKind::kBadInput) << y.error().message;
  }
}

TEST(PoolReference, CountsPadsOnlyWhenAsked) {
  const Attributes plain =
      with({{"kernel_shape", std::vector<int64_t>{2}}, {"pads", std::vector<int64_t>{1, 1}}});
  Attributes counted = plain;
  counted.set("count_include_pad", int64_t{1});
  const Tensor x = Tensor::of<float>({1, 1, 2}, {2, 4});
  EXPECT_TRUE(identical(*InnerCall::run("AveragePool", plain, {x}),
                        Tensor::of<float>({1, 1, 3}, {2, 3, 4})));
  EXPECT_TRUE(identical(*InnerCall::run("AveragePool", counted, {x}),
                        Tensor::of<float>({1, 1, 3}, {1, 3, 2})));
}

TEST(PoolReference, RefusesIndicesOutsideOfTheOutput) {
  const Attributes attributes =
      with({{"kernel_shape", std::vector<int64_t>{2}}, {"strides", std::vector<int64_t>{2}}});
  const Tensor x = Tensor::of<float>({1, 1, 2}, {2, 4});
  for (const int64_t index : {int64_t{-1}, int64_t{4}, int64_t{1} << 40}) {
    const Tensor indices = Tensor::of<int64_t>({1, 1, 2}, {0, index});
    const Result<Tensor> y = InnerCall::run("MaxUnpool", attributes, {x, indices});
    ASSERT_FALSE(y.ok());
    EXPECT_EQ(y.error().kind, ErrorKind::kBadInput);
  }
}

TEST(QuantizationReference, RoundsToEvenAndSaturates) {
  const Tensor x = Tensor::of<float>({5}, {1, 3, -1, 1000, -1000});
  const Tensor scale = Tensor::scalar<float>(2);
  const Result<Tensor> y =
      InnerCall::run("QuantizeLinear", {}, {x, scale, Tensor::scalar<int8_t>(1)});
  ASSERT_TRUE(y.ok()) << y.error().message;
  EXPECT_TRUE(identical(*y, Tensor::of<int8_t>({5}, {1, 3, 1, 127, -128})));
}

TEST(QuantizationReference, RefusesBlocksThatDoNotCoverTheAxis) {
  const Tensor x = ramp({2, 8});
  for (const int64_t block : {int64_t{0}, int64_t{-1}, int64_t{3}, int64_t{1} << 62}) {
    const Result<Tensor> y =
        InnerCall::run("QuantizeLinear", with({{"block_size", block}}), {x, ramp({2, 2})});
    ASSERT_FALSE(y.ok()) << block;
    EXPECT_EQ(y.error().kind, ErrorKind::kBadInput);
  }
}

TEST(ResizeReference, RefusesSizesThatNoImageHas) {
  const Tensor x = ramp({1, 1, 2, 2});
  for (const float scale : {-1.0f, 0.0f, 1e30f, std::numeric_limits<float>::quiet_NaN()}) {
    const Tensor scales = Tensor::of<float>({4}, {1, 1, scale, 1});
    const Result<Tensor> y = InnerCall::run("Resize", {}, {x, Datum(), scales});
    ASSERT_FALSE(y.ok()) << scale;
    EXPECT_EQ(y.error().kind, ErrorKind::kBadInput);
  }
}

}  // namespace
}  // namespace edgewright
