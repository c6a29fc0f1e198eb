#pragma once

#include <cstddef>
#include <cstdint>

namespace edgewright {

// int32 sums of a depthwise convolution over NHWC bytes: `count` positions of 16 channels.
// Position i, row y of the kernel, column x: bytes at in + i * step + y * row_step + x * tap_step.
// Weights: int8 [row][group of 4 columns][16 channels][4], zeros beyond the kernel. 16 bytes are
// read at every position of a whole group. Signed input counts as input + 128.
struct DepthwiseBytes {
  const uint8_t* in = nullptr;
  ptrdiff_t step = 0, row_step = 0, tap_step = 0;
  size_t rows = 0, groups = 0;
  bool is_signed = false;
  const int8_t* w = nullptr;
};
// sums[i * 16 + channel].
void sum_depthwise(const DepthwiseBytes& args, size_t count, int32_t* sums);

}  // namespace edgewright
