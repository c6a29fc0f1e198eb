#pragma once

#include <cstddef>

namespace edgewright {

// A window of `rows` x `columns` values of `inner` floats each, at the given distances in floats.
struct PoolWindow {
  const float* in = nullptr;
  ptrdiff_t row_step = 0, column_step = 0;
  size_t rows = 0, columns = 0;
  size_t inner = 0;
};
// out[i] = maximum of value i over the window.
void pool_maximum(const PoolWindow& window, float* out);
// out[i] = sum of value i over the window * factor.
void pool_average(const PoolWindow& window, float factor, float* out);

}  // namespace edgewright
