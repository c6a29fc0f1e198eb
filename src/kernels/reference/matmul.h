#pragma once

#include "kernels/reference/add_scaled.h"
#include "kernels/reference/operand.h"

namespace edgewright::reference {

// The shapes of a NumPy matmul: [..., m, k] times [..., k, n] with broadcast leading dimensions;
// vectors gain a dimension that the result loses again.
struct MatMulShape {
  Dims batch;
  Dims a_batch;  // aligned with `batch`, 1 where it repeats
  Dims b_batch;
  int64_t m = 1;
  int64_t n = 1;
  int64_t k = 1;
  Dims output;

  int64_t batches() const { return span_count(batch, 0); }
  // Which matrix of a (of b) belongs to matrix i of the output.
  int64_t a_matrix(int64_t i) const { return matrix(i, a_batch); }
  int64_t b_matrix(int64_t i) const { return matrix(i, b_batch); }

 private:
  int64_t matrix(int64_t i, const Dims& from) const;
};

// kBadInput when the shapes do not fit.
Result<MatMulShape> matmul_shape(const OpCall& call, const Dims& a, const Dims& b);

// y [m, n] += a [m, k] * b [k, n]; a and b are read at the given steps between rows and columns.
template <class T>
struct MatrixIn {
  const T* data = nullptr;
  int64_t row = 0;
  int64_t column = 1;
};
template <class T>
void add_matrix_product(const MatrixIn<T>& a, const MatrixIn<T>& b, int64_t m, int64_t n, int64_t k,
                        T* y) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t p = 0; p < k; ++p) {
      const T factor = a.data[i * a.row + p * a.column];
      const T* from = b.data + p * b.row;
      if (b.column == 1) {
        add_scaled(from, factor, n, y + i * n);
      } else {
        for (int64_t j = 0; j < n; ++j) y[i * n + j] += factor * from[j * b.column];
      }
    }
  }
}

}  // namespace edgewright::reference
