#include <cmath>

#include "kernels/trial_check.h"

namespace edgewright {
namespace {

constexpr int64_t kRows = 6, kCount = 75;

struct Inputs {
  int skip = -1, scale = 1, bias = -1, extra = -1;
  bool subtract_mean = true;
};

Tensor expected_output(const Trial& trial, const Inputs& inputs) {
  auto y = Tensor::allocate(DType::kFloat32, trial.value(0).dims());
  EDGEWRIGHT_CHECK(y.ok());
  const auto at = [&](int input, int64_t i) {
    return input < 0
               ? 0.0
               : static_cast<double>(trial.value(static_cast<size_t>(input)).data<float>()[i]);
  };
  for (int64_t row = 0; row < kRows; ++row) {
    std::vector<double> x;
    double mean = 0, square = 0;
    for (int64_t i = 0; i < kCount; ++i) {
      x.push_back(at(0, row * kCount + i) + at(inputs.skip, row * kCount + i) +
                  at(inputs.extra, i));
      mean += x.back() / kCount;
    }
    if (!inputs.subtract_mean) mean = 0;
    for (const double value : x) square += (value - mean) * (value - mean) / kCount;
    for (int64_t i = 0; i < kCount; ++i) {
      const double value = (x[static_cast<size_t>(i)] - mean) / std::sqrt(square + 0.01);
      y->mutable_data<float>()[row * kCount + i] =
          static_cast<float>(value * at(inputs.scale, i) + at(inputs.bias, i));
    }
  }
  return *std::move(y);
}

Trial make_trial(std::string_view domain, std::string_view op) {
  Trial trial(domain, op);
  trial.attribute("epsilon", 0.01f).input({2, 3, kCount});
  return trial;
}

TEST(Normalization, LayerNormalizationAgreesWithTheDefinition) {
  Trial trial = make_trial("", "LayerNormalization");
  trial.constant({kCount}).constant({kCount}).output({2, 3, kCount});
  expect_agrees(trial, "layer_normalization_f32_hwy", expected_output(trial, {-1, 1, 2}),
                kNormalizationTolerance);
}

TEST(Normalization, RmsNormalizationAgreesWithTheDefinition) {
  Trial trial = make_trial("", "RMSNormalization");
  trial.constant({kCount}).output({2, 3, kCount});
  expect_agrees(trial, "rms_normalization_f32_hwy", expected_output(trial, {-1, 1, -1, -1, false}),
                kNormalizationTolerance);
}

TEST(Normalization, SkipLayerNormalizationAddsFirst) {
  Trial trial = make_trial("com.microsoft", "SkipLayerNormalization");
  trial.input({2, 3, kCount}).constant({kCount}).constant({kCount}).constant({kCount});
  trial.output({2, 3, kCount});
  expect_agrees(trial, "skip_layer_normalization_f32_hwy", expected_output(trial, {1, 2, 3, 4}),
                kNormalizationTolerance);
}

TEST(Normalization, BatchNormalizationScalesChannels) {
  Trial trial("", "BatchNormalization");
  trial.input({2, 3, 5, 7}).constant({3}).constant({3}).constant({3});
  trial.tensor(Tensor::of<float>({3}, {0.5f, 1.0f, 4.0f}), true).output({2, 3, 5, 7});
  auto expected = Tensor::allocate(DType::kFloat32, {2, 3, 5, 7});
  ASSERT_TRUE(expected.ok());
  for (int64_t i = 0; i < 210; ++i) {
    const int64_t c = i / 35 % 3;
    const auto at = [&](size_t input) { return trial.value(input).data<float>()[c]; };
    expected->mutable_data<float>()[i] =
        (trial.value(0).data<float>()[i] - at(3)) / std::sqrt(at(4) + 1e-5f) * at(1) + at(2);
  }
  expect_agrees(trial, "batch_normalization_f32_hwy", *expected, kNormalizationTolerance);
}

TEST(Normalization, RefusesOutputsItDoesNotMake) {
  Trial trial = make_trial("", "LayerNormalization");
  trial.constant({kCount}).output({2, 3, kCount}).output({2, 3, 1});
  EXPECT_FALSE(accepts(trial, "layer_normalization_f32_hwy"));
}

}  // namespace
}  // namespace edgewright
