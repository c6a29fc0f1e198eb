#pragma once

#include <cstddef>
#include <cstdint>

namespace edgewright {

// A window of `rows` x `columns` values of `inner` numbers each, at the given distances in numbers.
template <class T>
struct PoolWindowOf {
  const T* in = nullptr;
  ptrdiff_t row_step = 0, column_step = 0;
  size_t rows = 0, columns = 0;
  size_t inner = 0;
};
using PoolWindow = PoolWindowOf<float>;
// out[i] = maximum of value i over the window.
void pool_maximum(const PoolWindow& window, float* out);
void pool_maximum(const PoolWindowOf<uint8_t>& window, uint8_t* out);
void pool_maximum(const PoolWindowOf<int8_t>& window, int8_t* out);
// out[i] = sum of value i over the window * factor.
void pool_average(const PoolWindow& window, float factor, float* out);

}  // namespace edgewright
