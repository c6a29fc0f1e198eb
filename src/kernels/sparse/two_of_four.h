#pragma once

#include <cstddef>
#include <cstdint>

namespace edgewright {

// Products with weights of which two in four along the inputs are kept, in panels of 16 outputs:
// for every four inputs the first weight of every output, the second, and a byte an output with
// their places (two bits each). Per panel and four inputs that is 144 bytes instead of 256.
inline constexpr size_t kTwoOfFourBytes = 2 * 16 * sizeof(float) + 16;

struct TwoOfFour {
  const float* a = nullptr;  // row m at a + m * a_step, 4 * quads inputs
  ptrdiff_t a_step = 0;
  const std::byte* panels = nullptr;  // quads * kTwoOfFourBytes a panel
  size_t quads = 0;
  float* sums = nullptr;  // row m, panel p at sums + m * step + 16 * p
  ptrdiff_t step = 0;
};

inline constexpr size_t kTwoOfFourRows = 6;
inline constexpr size_t kTwoOfFourPanels = 4;
// At most kTwoOfFourRows rows and 2 panels, or one row and 4 panels.
void two_of_four_sums(const TwoOfFour& product, size_t rows, size_t panels);

}  // namespace edgewright
