#include "kernels/language/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/each_target.h"
#include "kernels/language/product.h"
#include "kernels/language/rows.h"
#include "kernels/language/tolerances.h"

namespace edgewright::language {
namespace {

constexpr WeightType kFloatTypes[] = {WeightType::kF32, WeightType::kF16, WeightType::kBf16};

std::vector<float> random_floats(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

// A random packed matrix of any type: GGUF's own types are made of random blocks.
struct Weights {
  std::vector<std::byte> bytes;
  PackedMatrix matrix;

  Weights(WeightType type, size_t rows, size_t columns, unsigned seed) {
    allocate(type, rows, columns);
    if (type <= WeightType::kQ4G128 || type == WeightType::kQ6) {
      pack({SourceType::kF32, rows, columns, random_floats(rows * columns, seed).data()});
      return;
    }
    SourceType source_type = SourceType::kQ4_1;
    while (exact_weight_type(source_type) != type) {
      source_type = static_cast<SourceType>(static_cast<int>(source_type) + 1);
    }
    std::mt19937 generator(seed);
    std::vector<uint8_t> blocks(source_bytes(source_type, rows, columns));
    for (uint8_t& byte : blocks) byte = static_cast<uint8_t>(generator());
    const size_t block = source_bytes(source_type, 1, source_block_columns(source_type));
    for (size_t at = 0; at < blocks.size(); at += block) {
      // fp16 factors of about 2^-6 in all places where one may be.
      for (const size_t place : {size_t{1}, size_t{3}, block - 1}) {
        if (place != 3 || type != WeightType::kQ6K) blocks[at + place] = 0x24;
      }
    }
    pack({source_type, rows, columns, blocks.data()});
  }
  Weights(WeightType type, size_t rows, size_t columns, const std::vector<float>& values) {
    allocate(type, rows, columns);
    pack({SourceType::kF32, rows, columns, values.data()});
  }

 private:
  void allocate(WeightType type, size_t rows, size_t columns) {
    bytes.resize(packed_bytes(type, rows, columns));
    matrix = {type, rows, columns, bytes.data()};
  }
  void pack(const SourceMatrix& source) {
    EXPECT_TRUE(pack_rows({source, 0, source.rows, matrix.type, source.rows}, bytes).ok());
  }
};

// The same values in fp32.
Weights widened(const Weights& weights) {
  const PackedMatrix& matrix = weights.matrix;
  std::vector<float> values(matrix.rows * matrix.columns);
  for (size_t r = 0; r < matrix.rows; ++r) unpack_row(matrix, r, &values[r * matrix.columns]);
  return {WeightType::kF32, matrix.rows, matrix.columns, values};
}

struct Case {
  size_t rows, columns, inputs;
  Gate gate = Gate::kNone;
  bool norm = false, bias = false, residual = false;
};

// What the header promises, from the reference's raw products on.
Tensor run(const Case& c, const Weights& weights, const ProductRow& row, Phase phase, int threads,
           size_t only_row = SIZE_MAX) {
  const auto input = random_floats(c.inputs * c.columns, 5);
  const auto norm = random_floats(c.columns, 6), bias = random_floats(c.rows, 7);
  const size_t outputs = c.gate == Gate::kNone ? c.rows : c.rows / 2 - 3;
  const auto residual = random_floats(c.inputs * outputs, 8);
  LinearCall call;
  call.weights = weights.matrix;
  call.gate = c.gate;
  call.gated_rows = outputs;
  call.input = input.data();
  call.input_step = c.columns;
  if (c.norm) call.norm_weight = norm.data();
  call.norm_epsilon = 1e-5f;
  if (c.bias) call.bias = bias.data();
  if (c.residual) call.residual = residual.data();
  call.rows = c.inputs;
  call.phase = phase;
  call.output_step = outputs;
  if (only_row != SIZE_MAX) {
    call.rows = 1;
    call.input += only_row * c.columns;
    if (c.residual) call.residual += only_row * outputs;
  }
  auto out = Tensor::allocate(DType::kFloat32,
                              {static_cast<int64_t>(call.rows), static_cast<int64_t>(outputs)});
  call.output = out->mutable_data<float>();
  ThreadPool pool(threads);
  std::vector<std::byte> workspace(linear_workspace_bytes(call.rows, c.columns, threads) + 64);
  auto* aligned = reinterpret_cast<std::byte*>(
      (reinterpret_cast<uintptr_t>(workspace.data()) + 63) & ~uintptr_t{63});
  EXPECT_TRUE(linear_with(row, call, {aligned, workspace.size() - 64}, pool));
  return *out;
}

const ProductRow& reference() { return product_implementations().back(); }

constexpr Case kCases[] = {
    {48, 64, 1},
    {35, 352, 3, Gate::kNone, true, true, true},
    {160, 704, 8, Gate::kSilu, true},
    {64, 256, 17, Gate::kGeluTanh, false, false, true},
    {33, 1088, 40, Gate::kNone, false, true, false},
    {300, 320, 33, Gate::kGelu},
    // Long blocks, of which several go by turns, in bundles of 2 and of 4, 2 and 1 rows.
    {272, 1088, 2},
    {272, 1088, 7, Gate::kSilu, false, false, true},
};

// Every implementation that runs here, on one matrix, in both phases.
void expect_agreement(const Case& c, const Weights& weights) {
  const WeightType type = weights.matrix.type;
  const auto exact = run(c, weights, reference(), Phase::kDecode, 1);
  const auto of_floats = run(c, widened(weights), reference(), Phase::kDecode, 1);
  for (const ProductRow& row : product_implementations()) {
    for (const Phase phase : {Phase::kDecode, Phase::kPrefill}) {
      if (&row == &reference() || !product_supported(row, type, phase)) continue;
      const bool rounds = row.form(type) == InputForm::kTiles;
      EXPECT_EQ(difference(run(c, weights, row, phase, 2), rounds ? of_floats : exact,
                           rounds ? kBf16LinearTolerance : kLinearTolerance),
                "")
          << row.name << ' ' << weight_type_name(type) << ' ' << c.rows << 'x' << c.columns
          << " of " << c.inputs << " rows, phase " << static_cast<int>(phase);
    }
  }
}

TEST(Linear, ImplementationsAgreeWithTheReference) {
  for (int t = 0; t < kWeightTypeCount; ++t) {
    const auto type = static_cast<WeightType>(t);
    for (Case c : kCases) {
      if (type >= WeightType::kQ4K) c.columns = (c.columns + 255) / 256 * 256;
      expect_agreement(c, Weights(type, c.rows, c.columns, 1));
    }
  }
}

TEST(Linear, RowsDoNotDependOnEachOther) {
  const Case c{96, 512, 37, Gate::kNone, true, true, true};
  for (const ProductRow& row : product_implementations()) {
    for (const WeightType type : {WeightType::kF32, WeightType::kF16, WeightType::kQ8,
                                  WeightType::kQ4, WeightType::kQ6K, WeightType::kQ6}) {
      for (const Phase phase : {Phase::kDecode, Phase::kPrefill}) {
        if (!product_supported(row, type, phase)) continue;
        const Weights weights(type, c.rows, c.columns, 1);
        const auto all = run(c, weights, row, phase, 1);
        for (const size_t one : {size_t{0}, size_t{9}, size_t{36}}) {
          const auto alone = run(c, weights, row, phase, 2, one);
          for (size_t i = 0; i < c.rows; ++i) {
            EXPECT_EQ(alone.data<float>()[i], all.data<float>()[one * c.rows + i])
                << row.name << ' ' << weight_type_name(type) << " row " << one;
          }
        }
      }
    }
  }
}

// Rounding the inputs to int8 costs a known part of the result's scale.
TEST(Linear, Int8InputsAreCloseToFloats) {
  const Case c{64, 2048, 4};
  const Weights weights(WeightType::kQ8, c.rows, c.columns, 1);
  EXPECT_EQ(
      difference(run(c, weights, reference(), Phase::kDecode, 1),
                 run(c, widened(weights), reference(), Phase::kDecode, 1), kInt8InputTolerance),
      "");
}

TEST(Linear, AFloatProductIsThePlainSum) {
  const Case c{20, 96, 2, Gate::kNone, true, true, true};
  for (const WeightType type : kFloatTypes) {
    const Weights weights(type, c.rows, c.columns, 1);
    const auto found = run(c, weights, reference(), Phase::kDecode, 1);
    const auto input = random_floats(c.inputs * c.columns, 5);
    const auto norm = random_floats(c.columns, 6), bias = random_floats(c.rows, 7);
    const auto residual = random_floats(c.inputs * c.rows, 8);
    auto expected = Tensor::allocate(DType::kFloat32, found.dims());
    std::vector<float> row(c.columns);
    for (size_t m = 0; m < c.inputs; ++m) {
      double square = 0;
      for (size_t k = 0; k < c.columns; ++k) {
        const double x = static_cast<double>(input[m * c.columns + k]);
        square += x * x;
      }
      const double factor = 1 / std::sqrt(square / static_cast<double>(c.columns) + 1e-5);
      for (size_t r = 0; r < c.rows; ++r) {
        unpack_row(weights.matrix, r, row.data());
        double sum = 0;
        for (size_t k = 0; k < c.columns; ++k) {
          sum += static_cast<double>(row[k]) * static_cast<double>(input[m * c.columns + k]) *
                 factor * static_cast<double>(norm[k]);
        }
        expected->mutable_data<float>()[m * c.rows + r] =
            static_cast<float>(sum) + bias[r] + residual[m * c.rows + r];
      }
    }
    EXPECT_EQ(difference(found, *expected, kLinearTolerance), "") << weight_type_name(type);
  }
}

TEST(LinearRows, EachTargetNormalisesTurnsAndCaps) {
  for_each_target([](const char* name) {
    const auto x = random_floats(3 * 40, 1), weight = random_floats(40, 2);
    const auto angles = random_floats(12, 3);
    std::vector<float> cosines(12), sines(12), out(40);
    for (size_t i = 0; i < 12; ++i) {
      cosines[i] = std::cos(angles[i]);
      sines[i] = std::sin(angles[i]);
    }
    rms_norm(x.data(), weight.data(), 1e-6f, 40, out.data(), x.data() + 40);
    double square = 0;
    for (size_t i = 0; i < 40; ++i) square += static_cast<double>(x[i] * x[i]);
    const double factor = 1 / std::sqrt(square / 40 + 1e-6);
    for (size_t i = 0; i < 40; ++i) {
      EXPECT_NEAR(out[i],
                  static_cast<double>(x[i] * weight[i]) * factor + static_cast<double>(x[40 + i]),
                  1e-5)
          << name;
    }
    for (const RopeStyle style : {RopeStyle::kHalves, RopeStyle::kPairs}) {
      auto turned = x;
      rope(turned.data(), 3, 40, cosines.data(), sines.data(), 12, style);
      const size_t a = style == RopeStyle::kHalves ? 45 : 50;
      const size_t b = style == RopeStyle::kHalves ? 57 : 51;
      EXPECT_NEAR(turned[a], x[a] * cosines[5] - x[b] * sines[5], 1e-6) << name;
      EXPECT_NEAR(turned[b], x[a] * sines[5] + x[b] * cosines[5], 1e-6) << name;
      EXPECT_EQ(turned[64], x[64]) << name;
    }
    auto capped = x;
    soft_cap(capped.data(), 2.0f, capped.size());
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(capped[i], 2 * std::tanh(x[i] / 2), 1e-6) << name;
    }
    // More than one piece of a sum, a part of a vector at its end, and what is infinitely small.
    std::vector<float> logits(2077);
    for (size_t i = 0; i < logits.size(); ++i) logits[i] = x[i % x.size()];
    logits[1] = -std::numeric_limits<float>::infinity();
    std::vector<float> weights(logits.size());
    const double total = exponentials(logits.data(), 1.5f, 2.0f, logits.size(), weights.data());
    double expected = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      const double weight = std::exp((static_cast<double>(logits[i]) - 1.5) * 2);
      // Arguments reach -9 and are rounded to floats before the power.
      EXPECT_NEAR(weights[i], weight, 1e-6 * weight) << name;
      expected += weight;
    }
    EXPECT_NEAR(total, expected, 1e-6 * expected) << name;
  });
}

}  // namespace
}  // namespace edgewright::language
