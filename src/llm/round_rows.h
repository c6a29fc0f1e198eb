#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"

namespace edgewright {

// Rows of 4-bit integers, -8 to 7, and a scale for every group of them.
struct RoundedRows {
  size_t rows = 0, columns = 0;
  std::vector<int8_t> values;
  std::vector<float> scales;
};

// Second moments of a matrix's inputs, H = sum of x x^T: columns x columns, positive definite (add
// a share of the identity).
class ColumnMoments {
 public:
  ColumnMoments(std::vector<double> sums, size_t columns, ThreadPool& pool);

  size_t columns() const { return columns_; }
  std::span<const float> sums() const { return sums_; }
  // U of H^-1 = U^T U, upper triangular, row-major.
  std::span<const float> factor() const { return factor_; }
  // row := row H^-1. Call from several threads at once.
  void solve(std::span<float> row) const;

 private:
  size_t columns_;
  std::vector<float> sums_, factor_;
};

// Rounds rows of weights (rows x columns) to groups of 4-bit values one column after the other;
// what a column's rounding does to the product with inputs is made up for in the columns after it
// (GPTQ, Frantar et al. 2022). columns % group == 0. Scales are chosen for the least squared error
// weighted by the inputs, then codes and scales in turn go to the least error of the whole row.
RoundedRows round_rows(std::span<const float> weights, size_t rows, const ColumnMoments& inputs,
                       size_t group, ThreadPool& pool);

}  // namespace edgewright
