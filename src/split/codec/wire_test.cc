#include "split/codec/wire.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "graph/text.h"

namespace edgewright {
namespace {

Tensor activation(const Dims& dims) {
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal(0.5F, 1);
  std::vector<float> values(static_cast<size_t>(*checked_element_count(dims)));
  for (float& value : values) value = std::max(-0.4F, normal(random));
  return Tensor::of<float>(dims, values);
}

// The largest difference, in steps of the coarsest grid: range / levels.
double worst_step(WireForm form, const Tensor& tensor) {
  const Tensor decoded = decode_wire(form, *encode_wire(form, "x", tensor), tensor.dims());
  const auto a = tensor.elements<float>(), b = decoded.elements<float>();
  const float low = *std::ranges::min_element(a), high = *std::ranges::max_element(a);
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return worst / (static_cast<double>(high - std::min(low, 0.0F)) / ((1 << wire_bits(form)) - 1));
}

TEST(Wire, GridsAreHalfAStepOffAtMost) {
  for (const Dims& dims :
       {Dims{1, 16, 12, 12}, Dims{2, 3, 5, 7}, Dims{1, 65, 48}, Dims{1, 3}, Dims{7}}) {
    // A zero point is a whole step, so that values at the ends may be off by half a step more.
    EXPECT_LE(worst_step(WireForm::kInt8, activation(dims)), 1.001) << dims_text(dims);
    EXPECT_LE(worst_step(WireForm::kInt4, activation(dims)), 1.001) << dims_text(dims);
  }
}

TEST(Wire, SizesAreWhatTheFormSays) {
  const Tensor tensor = activation({1, 3, 5, 7});  // 105 elements
  EXPECT_EQ(encode_wire(WireForm::kFloat16, "x", tensor)->at(0).second.size_bytes(), 210U);
  EXPECT_EQ(encode_wire(WireForm::kInt8, "x", tensor)->at(0).second.size_bytes(), 105U);
  const WireTensors packed = *encode_wire(WireForm::kInt4, "x", tensor);
  ASSERT_EQ(packed.size(), 3U);
  EXPECT_EQ(packed[0].second.dims(), Dims{53});
  EXPECT_EQ(packed[1].first, "x.scale");
  EXPECT_EQ(packed[2].first, "x.zero");
}

TEST(Wire, ZerosAndConstantsStay) {
  const Tensor zeros = Tensor::of<float>({4, 9}, std::vector<float>(36, 0));
  for (const WireForm form : {WireForm::kFloat16, WireForm::kInt8, WireForm::kInt4}) {
    const Tensor decoded = decode_wire(form, *encode_wire(form, "x", zeros), zeros.dims());
    for (const float value : decoded.elements<float>()) EXPECT_EQ(value, 0.0F);
  }
  const Tensor whole = Tensor::of<int64_t>({2}, {5, 6});
  EXPECT_EQ(encode_wire(WireForm::kInt8, "x", whole)->at(0).second.dtype(), DType::kInt64);
}

TEST(Wire, WhatIsNoNumberIsRefused) {
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    std::vector<float> values(64, 1);
    values[40] = bad;
    EXPECT_FALSE(encode_wire(WireForm::kInt8, "x", Tensor::of<float>({1, 64}, values)).ok());
  }
}

TEST(Wire, AModelTakesTheForm) {
  const char* text =
      "graph %g(%x: float32[1,3,5,7], %n: int64[1]) -> (%y) {\n"
      "  %y: float32[1,3,5,7] = Relu(%x)\n}\n";
  const auto graph = *parse_graph(text);
  ASSERT_TRUE(take_wire_form(*graph, {"x", "n"}, WireForm::kInt4).ok());
  EXPECT_TRUE(violations(*graph).empty());
  std::vector<std::string> inputs;
  for (const Value* input : graph->inputs()) inputs.push_back(input->name);
  EXPECT_EQ(inputs, (std::vector<std::string>{"n", "x", "x.scale", "x.zero"}));
  EXPECT_EQ(graph->find_value("x")->type.dtype, DType::kUint8);
  EXPECT_FALSE(take_wire_form(*graph, {"absent"}, WireForm::kInt8).ok());
}

}  // namespace
}  // namespace edgewright
