#pragma once

#include <vector>

#include "kernels/conv/conv_shape.h"

namespace edgewright {

// Where the planes of a bordered image lie: [channel][phase y][phase x][row][column], a position
// every stride along each axis, so that a weight meets the inputs of neighbouring outputs side by
// side.
struct Planes {
  explicit Planes(const ConvShape& s)
      : stride_y(s.stride_y),
        stride_x(s.stride_x),
        rows((s.padded_height() + s.stride_y - 1) / s.stride_y),
        columns((s.padded_width() + s.stride_x - 1) / s.stride_x) {}

  int64_t stride_y, stride_x, rows, columns;
  int64_t plane() const { return rows * columns; }
  // An odd number of lines of cache, so that the channels of one position lie in different sets.
  int64_t channel() const { return ((stride_y * stride_x * plane() + 15) / 16 | 1) * 16; }
  // Row y and column x of the bordered image.
  int64_t at(int64_t y, int64_t x) const {
    return (y % stride_y * stride_x + x % stride_x) * plane() + y / stride_y * columns +
           x / stride_x;
  }
};

// Of rows of the bordered image that strides pass over nothing is read.
inline bool reads_row(const ConvShape& s, int64_t y) {
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    if ((y - ky * s.dilation_y) % s.stride_y == 0) return true;
  }
  return false;
}

// Distances from a position to the inputs of its output, [channel][kernel y][kernel x].
std::vector<int32_t> plane_distances(const ConvShape& s, int64_t channels);

// Channels of planes of which a tile of `positions` touches about `words`, at least one.
int64_t channels_in_cache(const ConvShape& s, int64_t channels, int64_t positions, int64_t words);

}  // namespace edgewright
