#include "quantize/weight_only.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "graph/text.h"
#include "quantize/cholesky.h"

namespace edgewright {
namespace {

constexpr int64_t kRows = 48, kColumns = 5;

std::vector<float> normal_numbers(int64_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& x : numbers) x = normal(generator);
  return numbers;
}

// Moments of inputs whose elements depend on each other.
InputMoments correlated_moments() {
  InputMoments moments;
  moments.size = kRows;
  moments.sums.resize(kRows * kRows);
  const std::vector<float> noise = normal_numbers(200 * kRows, 3);
  for (int64_t sample = 0; sample < 200; ++sample) {
    std::vector<double> x(kRows);
    double carried = 0;
    for (int64_t i = 0; i < kRows; ++i) {
      carried = 0.9 * carried + noise[static_cast<size_t>(sample * kRows + i)];
      x[static_cast<size_t>(i)] = carried;
    }
    for (int64_t i = 0; i < kRows * kRows; ++i) {
      moments.sums[static_cast<size_t>(i)] +=
          x[static_cast<size_t>(i / kRows)] * x[static_cast<size_t>(i % kRows)];
    }
  }
  return moments;
}

TEST(CholeskyTest, UpperFactorOfTheInverse) {
  const std::vector<double> matrix = {4, 1, 0.5, 1, 3, 0.25, 0.5, 0.25, 2};
  const auto factor = inverse_cholesky_upper(matrix, 3, 0);
  ASSERT_TRUE(factor.has_value());
  const std::vector<double>& u = *factor;
  EXPECT_EQ(u[3], 0);
  EXPECT_EQ(u[6], 0);
  EXPECT_EQ(u[7], 0);
  // (U^T U) M is the identity.
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      double sum = 0;
      for (int k = 0; k < 3; ++k) {
        for (int l = 0; l < 3; ++l) sum += u[3 * l + i] * u[3 * l + k] * matrix[3 * k + j];
      }
      EXPECT_NEAR(sum, i == j ? 1 : 0, 1e-12);
    }
  }
  EXPECT_FALSE(inverse_cholesky_upper({1, 2, 2, 1}, 2, 0).has_value());
  EXPECT_FALSE(inverse_cholesky_upper({0, 0, 0, 0}, 2, 0.01).has_value());
}

TEST(WeightMethodTest, NoNumberIsFurtherThanHalfAStep) {
  const std::vector<float> weights = normal_numbers(kRows * kColumns, 1);
  for (const int64_t group : {int64_t{16}, int64_t{32}, int64_t{0}}) {
    const GroupedWeights rounded =
        find_weight_method("rtn")->round(weights, kRows, kColumns, {4, group}, nullptr);
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t column = 0; column < kColumns; ++column) {
        const auto at = static_cast<size_t>(row / rounded.group * kColumns + column);
        const float error =
            rounded.real(row, column) - weights[static_cast<size_t>(row * kColumns + column)];
        // The zero point is rounded too: up to one step at the ends.
        EXPECT_LE(std::abs(error), rounded.scales[at] * 1.001f);
      }
    }
  }
}

TEST(WeightMethodTest, EveryMethodImprovesOnItsPredecessor) {
  const std::vector<float> weights = normal_numbers(kRows * kColumns, 1);
  const InputMoments moments = correlated_moments();
  const GroupedOptions options{4, 16};
  std::map<std::string_view, double> plain, weighted;
  for (const WeightMethod& method : weight_methods()) {
    const GroupedWeights rounded = method.round(weights, kRows, kColumns, options, &moments);
    plain[method.name] = output_squared_error(weights, rounded, nullptr);
    weighted[method.name] = output_squared_error(weights, rounded, &moments);
  }
  EXPECT_LE(plain["mse"], plain["rtn"]);
  EXPECT_LE(plain["hqq"], plain["rtn"]);
  // Errors of one row are made up for by the next, which reads nearly the same.
  EXPECT_LT(weighted["gptq"], 0.5 * weighted["mse"]);
}

TEST(WeightMethodTest, HalfQuadraticForgivesOutliers) {
  std::vector<float> weights = normal_numbers(kRows * kColumns, 2);
  for (size_t at = 0; at < weights.size(); at += 37) weights[at] *= 6;
  const auto error = [&](const char* method) {
    const GroupedWeights rounded =
        find_weight_method(method)->round(weights, kRows, kColumns, {4, 32}, nullptr);
    double sum = 0;
    for (int64_t i = 0; i < kRows * kColumns; ++i) {
      const float off = rounded.real(i / kColumns, i % kColumns) - weights[static_cast<size_t>(i)];
      sum += std::pow(std::abs(static_cast<double>(off)), 0.7);
    }
    return sum;
  };
  EXPECT_LT(error("hqq"), 0.98 * error("rtn"));
}

TEST(WeightMethodTest, ZerosAndConstantsAreExact) {
  std::vector<float> weights(kRows * kColumns, 0.0f);
  for (int64_t row = 0; row < kRows; ++row) weights[static_cast<size_t>(row * kColumns)] = -0.75f;
  for (const WeightMethod& method : weight_methods()) {
    const GroupedWeights rounded = method.round(weights, kRows, kColumns, {4, 32}, nullptr);
    EXPECT_NEAR(rounded.real(5, 0), -0.75f, 1e-6f) << method.name;
    EXPECT_EQ(rounded.real(5, 1), 0) << method.name;
  }
}

constexpr const char* kTwoProducts = R"(graph %main(%x: float32[2,4]) -> (%y) {
  %w: float32[4,2] = {1, 2, 3, 4, 5, 6, 7, 8}
  %v: float32[3,2] = {1, -1, 0.5, 2, -3, 0.25}
  %b: float32[3] = {1, 2, 3}
  %h: float32[2,2] = MatMul(%x, %w)
  %y: float32[2,3] = Gemm(%h, %v, %b) {transB=1}
})";

TEST(WeightLayerTest, BlocksFollowTheStoredOrder) {
  const auto graph = parse_graph(kTwoProducts);
  ASSERT_TRUE(graph.ok());
  const auto layers = weight_layers(**graph);
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_TRUE(layers[1].transposed);
  for (const WeightLayer& layer : layers) {
    const GroupedWeights rounded = find_weight_method("rtn")->round(
        layer.weights(), layer.rows, layer.columns, {4, 32}, nullptr);
    ASSERT_TRUE(replace_weights(**graph, layer, rounded, WeightForm::kBlocks).ok());
  }
  const Node* gemm = (*graph)->find_value("y")->producer;
  const Node* blocks = gemm->inputs[1]->producer;
  EXPECT_EQ(blocks->op, "DequantizeLinear");
  EXPECT_EQ(blocks->attributes.get_int("axis", -1), 1);
  EXPECT_EQ(blocks->constant_input(0)->dims(), (Dims{3, 2}));
  EXPECT_EQ(blocks->constant_input(0)->dtype(), DType::kUint4);
  EXPECT_EQ(blocks->constant_input(1)->dims(), (Dims{3, 1}));
}

TEST(WeightLayerTest, MatMulNBitsKeepsTheBiasAsASum) {
  const auto graph = parse_graph(kTwoProducts);
  for (const WeightLayer& layer : weight_layers(**graph)) {
    const GroupedWeights rounded = find_weight_method("mse")->round(
        layer.weights(), layer.rows, layer.columns, {8, 16}, nullptr);
    ASSERT_TRUE(replace_weights(**graph, layer, rounded, WeightForm::kMatMulNBits).ok());
  }
  EXPECT_THAT(violations(**graph), testing::IsEmpty());
  const Node* sum = (*graph)->outputs()[0]->producer;
  EXPECT_EQ(sum->op, "Add");
  EXPECT_EQ(sum->inputs[0]->producer->op, "MatMulNBits");
  EXPECT_EQ((*graph)->outputs()[0]->name, "y");
}

}  // namespace
}  // namespace edgewright
