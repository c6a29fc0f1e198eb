// Matrix multiplication for reference kernels.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/reference/add_scaled.h"

namespace edgewright::reference {

// A matrix that is read in either orientation: element (i, j) is data[i * row + j * column].
template <class T>
struct MatrixView {
  const T* data = nullptr;
  int64_t row = 0;
  int64_t column = 1;
};

// out[m x n] += a[m x k] * b[k x n], out dense with row length n. Products and sums are of type
// Sum. Rows of out are accumulated in order of k.
template <class Sum, class A, class B>
void accumulate_product(MatrixView<A> a, MatrixView<B> b, Sum* out, int64_t m, int64_t n,
                        int64_t k) {
  for (int64_t i = 0; i < m; ++i) {
    Sum* to = out + i * n;
    for (int64_t p = 0; p < k; ++p) {
      const Sum factor = static_cast<Sum>(a.data[i * a.row + p * a.column]);
      const B* from = b.data + p * b.row;
      if constexpr (std::is_same_v<Sum, B>) {
        if (b.column == 1) {
          add_scaled(from, factor, n, to);
          continue;
        }
      }
      if (b.column == 1) {
        for (int64_t j = 0; j < n; ++j) to[j] += factor * static_cast<Sum>(from[j]);
      } else {
        for (int64_t j = 0; j < n; ++j) to[j] += factor * static_cast<Sum>(from[j * b.column]);
      }
    }
  }
}

}  // namespace edgewright::reference
