#pragma once

#include <cstddef>
#include <cstdint>

#include "base/function_ref.h"
#include "kernels/kernel.h"

namespace edgewright {

// Products of bfloat16 numbers, summed in float32, on the tile unit of newer x86 servers (AMX).
//
// A: row m is read in `blocks` pieces of k numbers, piece b at a + offsets[b] + m * a_step. One
//    block is a row of a matrix; a convolution over NHWC has one block per row of its kernel.
// W: panels of 16 columns, w_panel numbers apart. A panel holds, for every block, chunks of 32
//    values of k as [16 pairs][16 columns][2], zeros beyond k: w_block numbers a block.
// Rows are read up to the end of their last chunk and up to a multiple of 16 rows. What is read
// beyond k has to be finite, because it is multiplied by zero; what other rows hold does not
// matter.
struct Bfloat16Product {
  const uint16_t* a = nullptr;
  ptrdiff_t a_step = 0;
  const ptrdiff_t* offsets = nullptr;
  size_t blocks = 1;
  size_t k = 0;
  const uint16_t* w = nullptr;
  ptrdiff_t w_block = 0;
  ptrdiff_t w_panel = 0;
};
inline constexpr size_t kBfloat16Chunk = 32;       // values of k
inline constexpr size_t kBfloat16ChunkSize = 512;  // numbers of a panel
inline constexpr size_t kBfloat16Rows = 32, kBfloat16Panels = 2;

// What a layer of such products is made of: `columns` results from blocks x k numbers.
struct Bfloat16Depth {
  size_t blocks = 1, k = 0, columns = 0;

  size_t panels() const { return (columns + 15) / 16; }
  size_t block_size() const {
    return (k + kBfloat16Chunk - 1) / kBfloat16Chunk * kBfloat16ChunkSize;
  }
  size_t panel_size() const { return blocks * block_size(); }
  // Weights, then the bias as floats in whole panels.
  size_t packed_bytes() const { return panels() * (panel_size() * 2 + 16 * sizeof(float)); }
};
using Bfloat16WeightAt = FunctionRef<float(size_t block, size_t i, size_t column)>;
void pack_bfloat16(const Bfloat16Depth& depth, Bfloat16WeightAt at, const float* bias,
                   std::byte* out);

// Whether the CPU has the unit and the system lets it be used.
bool has_bfloat16_tiles();
// Whether the operands of an edgewright::Conv2d or MatMul may be rounded to bfloat16.
inline bool wants_bfloat16_products(const KernelRequest& request) {
  return request.attributes->get_string("products", "") == "bfloat16";
}

// Before and after the products of one task on the thread that does them.
void begin_bfloat16_tiles();
void end_bfloat16_tiles();
// sums[row * step + column], at most kBfloat16Rows rows and kBfloat16Panels panels; whole multiples
// of 16 rows are written.
void bfloat16_sums(const Bfloat16Product& product, size_t rows, size_t panels, float* sums,
                   ptrdiff_t step);
// To the nearest bfloat16, ties to even.
void round_to_bfloat16(const float* from, size_t count, uint16_t* to);

}  // namespace edgewright
