#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace edgewright {

// How a mean of bytes becomes a result: mean * scale + offset, which is rounded and saturated where
// the result is a byte.
struct ByteMean {
  float scale = 1, offset = 0;
};

// rows x columns positions of `inner` bytes each.
struct ByteWindow {
  const void* in = nullptr;
  ptrdiff_t row_step = 0, column_step = 0;  // bytes
  size_t rows = 0, columns = 0, inner = 0;
};

// Four neighbours of `inner` bytes each, top left, top right, bottom left, bottom right, and how
// far to the right and to the bottom the result lies, 0 to 1.
struct ByteNeighbours {
  const void* at[4] = {};
  float right = 0, down = 0;
  size_t inner = 0;
};

struct WindowFunctions {
  // out[i] = finish(sum of value i over the window)
  void (*sum)(const ByteWindow& window, const ByteMean& finish, void* out) = nullptr;
  // out[i] = finish(linear interpolation of value i)
  void (*blend)(const ByteNeighbours& neighbours, const ByteMean& finish, void* out) = nullptr;
};
// For inputs of uint8 or int8 and results of these or float32; both null for other types.
WindowFunctions window_functions(DType in, DType out);

}  // namespace edgewright
