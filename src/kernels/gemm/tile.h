#pragma once

#include <cstddef>
#include <limits>

#include "kernels/epilogue.h"

namespace edgewright {

// The register-blocked core of matrix products and convolutions: C = epilogue(A * B) for a few rows
// of C and a few panels of 16 columns.
//
// A: the value for row m at step (b, k) is a[m * a_step + offsets[b] + k], k < klen, b < blocks.
//    One block of K values is a row of a matrix; a convolution has one block per (channel group,
//    ky, kx).
// B: panels of 16 columns, each [all K values][16], w_panel floats apart.
// C: row m of panel p begins at c + p * c_panel + m * c_step; the residual lies in the same way.
// All pointers are to floats, all distances in floats.
struct TileArgs {
  const float* a = nullptr;
  ptrdiff_t a_step = 0;
  const ptrdiff_t* offsets = nullptr;
  size_t blocks = 1;
  size_t klen = 0;
  size_t tail_blocks = 0;  // the last of the blocks, which have
  size_t tail_klen = 0;    // fewer values: a channel group cut short
  const float* w = nullptr;
  ptrdiff_t w_panel = 0;
  float* c = nullptr;
  ptrdiff_t c_step = 0;
  ptrdiff_t c_panel = 0;
  const float* bias = nullptr;      // 16 a panel; null: none
  const float* residual = nullptr;  // null: none
  bool residual_first = false;  // activation(A * B + residual), else activation(A * B) + residual
  int columns = 16;    // valid columns of the last panel; fewer are neither read nor written
  float scale = 1.0f;  // factor of A * B
  float low = -std::numeric_limits<float>::infinity();  // clamp, the activation of most layers
  float high = std::numeric_limits<float>::infinity();
};

using TileFunction = void (*)(const TileArgs& args);

inline constexpr int kMaxTilePanels = 4;
inline constexpr int kMaxTileRows = 14;

// What this CPU's instruction set offers: function[panels][rows].
struct TileKernels {
  int max_panels = 1;
  int max_rows[kMaxTilePanels + 1] = {};
  TileFunction function[kMaxTilePanels + 1][kMaxTileRows + 1] = {};
};
const TileKernels& tile_kernels();

// Rows x panels of C, cut into tiles; the activation of `epilogue` is applied to each tile while it
// is in cache. args.low and args.high are set from it.
void run_tiles(TileArgs args, const Epilogue& epilogue, size_t rows, size_t panels);

}  // namespace edgewright
