#pragma once

#include <cstddef>

namespace edgewright {

// Transforms of Winograd's minimal filtering F(m x m, 3 x 3), m = 4 or 2, on 16 channels at a time
// (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015). A tile of m + 2 by
// m + 2 inputs gives m by m outputs through (m + 2)^2 products a channel pair.

// Input tile at `in` (positions of 16 floats, rows row_step floats apart) to position p at
// out + p * out_step.
void winograd_input(int m, const float* in, ptrdiff_t row_step, float* out, ptrdiff_t out_step);

struct WinogradOutput {
  const float* in = nullptr;  // position p at in + p * in_step
  ptrdiff_t in_step = 0;
  const float* bias = nullptr;      // 16 floats
  const float* residual = nullptr;  // laid out as out; null: none
  bool residual_first = true;
  float low = 0, high = 0;  // clamp
  float* out = nullptr;
  ptrdiff_t row_step = 0;
  int rows = 0, columns = 0;  // outputs that exist, at most m
};
void winograd_output(int m, const WinogradOutput& tile);

// Filter taps w[9] of one channel pair to (m + 2)^2 values.
void winograd_filter(int m, const float* w, double* out);

}  // namespace edgewright
