#include "llm/round_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "edgewright/tensor.h"

namespace edgewright {
namespace {

// Rounds of refinement: later ones change almost nothing.
constexpr int kRefinements = 4;

// Lower Cholesky factor in place; columns are processed in blocks of rows in parallel.
void factorise(std::span<double> a, size_t n, ThreadPool& pool) {
  for (size_t j = 0; j < n; ++j) {
    double diagonal = a[j * n + j];
    for (size_t k = 0; k < j; ++k) diagonal -= a[j * n + k] * a[j * n + k];
    const double root = std::sqrt(std::max(diagonal, 1e-12));
    a[j * n + j] = root;
    const size_t left = n - j - 1;
    const size_t tasks = std::min<size_t>(left / 64 + 1, 16);
    pool.parallel_for(tasks, [&](size_t task, int) {
      for (size_t i = j + 1 + task; i < n; i += tasks) {
        double sum = a[i * n + j];
        const double* x = &a[i * n];
        const double* y = &a[j * n];
        double sums[4] = {};
        size_t k = 0;
        for (; k + 4 <= j; k += 4) {
          for (size_t lane = 0; lane < 4; ++lane) sums[lane] += x[k + lane] * y[k + lane];
        }
        for (; k < j; ++k) sums[0] += x[k] * y[k];
        sum -= sums[0] + sums[1] + sums[2] + sums[3];
        a[i * n + j] = sum / root;
      }
    });
  }
}

// The upper Cholesky factor of the inverse, row-major in `u`. With A reversed in both directions as
// L L^T, the inverse of A is U^T U for U = the reversed inverse of L, which is upper triangular.
std::vector<float> inverse_factor(std::span<double> a, size_t n, ThreadPool& pool) {
  std::vector<double> reversed(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) reversed[i * n + j] = a[(n - 1 - i) * n + (n - 1 - j)];
  }
  factorise(reversed, n, pool);
  // Column c of the inverse of L by forward substitution.
  std::vector<float> u(n * n, 0.0f);
  pool.parallel_for(n, [&](size_t c, int) {
    std::vector<double> x(n, 0.0);
    x[c] = 1 / reversed[c * n + c];
    for (size_t i = c + 1; i < n; ++i) {
      double sum = 0;
      for (size_t k = c; k < i; ++k) sum -= reversed[i * n + k] * x[k];
      x[i] = sum / reversed[i * n + i];
    }
    // Reversing rows and columns makes the lower triangle an upper one.
    for (size_t i = c; i < n; ++i) u[(n - 1 - i) * n + (n - 1 - c)] = static_cast<float>(x[i]);
  });
  return u;
}

int8_t code_of(float value, float scale) {
  const float code = scale == 0 ? 0 : std::nearbyint(value / scale);
  return static_cast<int8_t>(std::clamp(code, -8.0f, 7.0f));
}

// The scale, as fp16 where the type stores it so, with the least weighted squared error.
float best_scale(std::span<const float> values, std::span<const float> importance, bool half) {
  float extreme = 0;
  for (const float value : values) {
    if (std::fabs(value) > std::fabs(extreme)) extreme = value;
  }
  float best = 0;
  float least = std::numeric_limits<float>::max();
  for (int step = -6; step <= 12; ++step) {
    // Divisors around 8, to either sign: -8 is the code of largest magnitude.
    const float divisor = -8.0f + 0.25f * static_cast<float>(step) - 1.5f;
    for (const float sign : {1.0f, -1.0f}) {
      float scale = sign * extreme / divisor;
      if (half) scale = Half::to_float(Half::from_float(scale));
      float error = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        const float off = values[i] - scale * static_cast<float>(code_of(values[i], scale));
        error += importance[i] * off * off;
      }
      if (error < least) {
        least = error;
        best = scale;
      }
    }
  }
  return best;
}

// out += factor * x. Runs of fixed length, which compilers make vectors of.
void add_scaled(const float* x, float factor, size_t count, float* out) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (size_t lane = 0; lane < 16; ++lane) out[i + lane] += factor * x[i + lane];
  }
  for (; i < count; ++i) out[i] += factor * x[i];
}

void round_row(std::span<float> row, std::span<const float> u, size_t group, int8_t* values,
               float* scales) {
  const size_t n = row.size();
  std::vector<float> importance(group);
  for (size_t j = 0; j < n; ++j) {
    if (j % group == 0) {
      // A column weighs as its error does in the end: by the inverse square of the factor.
      for (size_t i = 0; i < group; ++i) {
        const float factor = u[(j + i) * n + (j + i)];
        importance[i] = 1.0f / (factor * factor);
      }
      scales[j / group] = best_scale(row.subspan(j, group), importance, group == 32);
    }
    const float scale = scales[j / group];
    values[j] = code_of(row[j], scale);
    const float error = (row[j] - scale * static_cast<float>(values[j])) / u[j * n + j];
    add_scaled(&u[j * n + j + 1], -error, n - j - 1, &row[j + 1]);
  }
}

// One row of codes and scales under refinement. The error is e^T H e of e = rounded - original, H
// the second moments; `slope_` is H e.
class RowRefinement {
 public:
  RowRefinement(std::span<const float> original, std::span<const float> moments, size_t group,
                int8_t* codes, float* scales)
      : n_(original.size()), group_(group), h_(moments), codes_(codes), scales_(scales) {
    slope_.resize(n_);
    for (size_t j = 0; j < n_; ++j) {
      const float off = scales_[j / group_] * static_cast<float>(codes_[j]) - original[j];
      add_scaled(&h_[j * n_], off, n_, slope_.data());
    }
  }

  void run() {
    for (int round = 0; round < kRefinements; ++round) {
      for (size_t g = 0; g < n_ / group_; ++g) move_scale(g);
      if (!move_codes()) return;
    }
  }

 private:
  // The scale with the least error for the codes of its group, as fp16 where the type stores it so.
  void move_scale(size_t g) {
    const size_t begin = g * group_;
    double along = 0;
    double curvature = 0;
    for (size_t i = begin; i < begin + group_; ++i) {
      const auto code = static_cast<float>(codes_[i]);
      along += static_cast<double>(code * slope_[i]);
      float product = 0;
      for (size_t j = begin; j < begin + group_; ++j) {
        product += h_[i * n_ + j] * static_cast<float>(codes_[j]);
      }
      curvature += static_cast<double>(code * product);
    }
    if (curvature <= 0) return;
    float scale = scales_[g] - static_cast<float>(along / curvature);
    if (group_ == 32) scale = Half::to_float(Half::from_float(scale));
    const double step = static_cast<double>(scale) - static_cast<double>(scales_[g]);
    if (2 * step * along + step * step * curvature >= 0) return;
    for (size_t i = begin; i < begin + group_; ++i) {
      const float change = static_cast<float>(step) * static_cast<float>(codes_[i]);
      if (change != 0) add_scaled(&h_[i * n_], change, n_, slope_.data());
    }
    scales_[g] = scale;
  }

  // Every code in turn takes the value with the least error beside the others'; whether one did.
  bool move_codes() {
    bool moved = false;
    for (size_t j = 0; j < n_; ++j) {
      const float scale = scales_[j / group_];
      const float best = scale * static_cast<float>(codes_[j]) - slope_[j] / h_[j * n_ + j];
      const int8_t code = code_of(best, scale);
      if (code == codes_[j]) continue;
      add_scaled(&h_[j * n_], scale * static_cast<float>(code - codes_[j]), n_, slope_.data());
      codes_[j] = code;
      moved = true;
    }
    return moved;
  }

  size_t n_, group_;
  std::span<const float> h_;
  int8_t* codes_;
  float* scales_;
  std::vector<float> slope_;
};

}  // namespace

ColumnMoments::ColumnMoments(std::vector<double> sums, size_t columns, ThreadPool& pool)
    : columns_(columns), sums_(sums.begin(), sums.end()) {
  factor_ = inverse_factor(sums, columns, pool);
}

void ColumnMoments::solve(std::span<float> row) const {
  // The inverse is U^T U.
  std::vector<float> along(columns_);
  for (size_t k = 0; k < columns_; ++k) {
    const float* u = &factor_[k * columns_];
    float sums[16] = {};
    size_t j = k;
    for (; j + 16 <= columns_; j += 16) {
      for (size_t lane = 0; lane < 16; ++lane) sums[lane] += u[j + lane] * row[j + lane];
    }
    for (; j < columns_; ++j) sums[0] += u[j] * row[j];
    for (const float sum : sums) along[k] += sum;
  }
  std::ranges::fill(row, 0.0f);
  for (size_t k = 0; k < columns_; ++k) {
    add_scaled(&factor_[k * columns_ + k], along[k], columns_ - k, &row[k]);
  }
}

RoundedRows round_rows(std::span<const float> weights, size_t rows, const ColumnMoments& inputs,
                       size_t group, ThreadPool& pool) {
  const size_t columns = inputs.columns();
  RoundedRows out;
  out.rows = rows;
  out.columns = columns;
  out.values.resize(rows * columns);
  out.scales.resize(rows * columns / group);
  pool.parallel_for(rows, [&](size_t row, int) {
    const auto original = weights.subspan(row * columns, columns);
    std::vector<float> copy(original.begin(), original.end());
    int8_t* codes = &out.values[row * columns];
    float* scales = &out.scales[row * columns / group];
    round_row(copy, inputs.factor(), group, codes, scales);
    RowRefinement(original, inputs.sums(), group, codes, scales).run();
  });
  return out;
}

}  // namespace edgewright
