#include "llm/round_rows.h"

#include <gtest/gtest.h>

#include "llm/sampler.h"

namespace edgewright {
namespace {

constexpr size_t kColumns = 64;
constexpr size_t kRows = 8;
constexpr size_t kInputs = 400;

// Inputs with strongly correlated neighbours, as those of real layers.
std::vector<float> inputs() {
  std::vector<float> x(kInputs * kColumns);
  for (size_t row = 0; row < kInputs; ++row) {
    float last = 0;
    for (size_t i = 0; i < kColumns; ++i) {
      last = 0.9f * last + static_cast<float>(uniform(1, row * kColumns + i) - 0.5);
      x[row * kColumns + i] = last;
    }
  }
  return x;
}

std::vector<double> second_moments(const std::vector<float>& x) {
  std::vector<double> moments(kColumns * kColumns);
  for (size_t i = 0; i < kColumns; ++i) {
    for (size_t j = 0; j < kColumns; ++j) {
      for (size_t row = 0; row < kInputs; ++row) {
        moments[i * kColumns + j] +=
            static_cast<double>(x[row * kColumns + i]) * static_cast<double>(x[row * kColumns + j]);
      }
    }
  }
  return moments;
}

double output_error(const std::vector<float>& x, const std::vector<float>& w,
                    const RoundedRows& rounded) {
  double total = 0;
  for (size_t input = 0; input < kInputs; ++input) {
    for (size_t row = 0; row < kRows; ++row) {
      double off = 0;
      for (size_t i = 0; i < kColumns; ++i) {
        const double q = rounded.scales[(row * kColumns + i) / 32] *
                         static_cast<float>(rounded.values[row * kColumns + i]);
        off += (static_cast<double>(w[row * kColumns + i]) - q) *
               static_cast<double>(x[input * kColumns + i]);
      }
      total += off * off;
    }
  }
  return total;
}

TEST(RoundRowsTest, ErrorsOfProductsAreSmallerThanByRounding) {
  ThreadPool pool(1);
  const std::vector<float> x = inputs();
  std::vector<float> w(kRows * kColumns);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(uniform(2, i) - 0.5);
  std::vector<double> moments = second_moments(x);
  std::vector<double> identity(kColumns * kColumns);
  for (size_t i = 0; i < kColumns; ++i) {
    identity[i * kColumns + i] = 1;
    moments[i * kColumns + i] += 0.1;
  }
  // Uncorrelated inputs leave nothing to make up for: plain rounding.
  const RoundedRows plain = round_rows(w, kRows, {identity, kColumns, pool}, 32, pool);
  const RoundedRows calibrated = round_rows(w, kRows, {moments, kColumns, pool}, 32, pool);
  EXPECT_LT(output_error(x, w, calibrated), 0.6 * output_error(x, w, plain));
}

TEST(RoundRowsTest, MomentsSolve) {
  ThreadPool pool(2);
  const std::vector<float> x = inputs();
  const std::vector<double> moments = second_moments(x);
  const ColumnMoments inverse(moments, kColumns, pool);
  std::vector<float> wanted(kColumns);
  std::vector<float> row(kColumns);
  for (size_t i = 0; i < kColumns; ++i) wanted[i] = static_cast<float>(uniform(3, i) - 0.5);
  for (size_t i = 0; i < kColumns; ++i) {
    for (size_t j = 0; j < kColumns; ++j) {
      row[j] += wanted[i] * static_cast<float>(moments[i * kColumns + j]);
    }
  }
  inverse.solve(row);
  for (size_t i = 0; i < kColumns; ++i) EXPECT_NEAR(row[i], wanted[i], 1e-3);
}

}  // namespace
}  // namespace edgewright
