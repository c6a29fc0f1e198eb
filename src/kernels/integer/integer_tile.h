#pragma once

#include <cstddef>
#include <cstdint>

namespace edgewright {

// The register-blocked core of products of 8-bit integers: exact int32 sums for a few rows and a
// few panels of 16 columns.
//
// A: row m is read in `blocks` pieces of k bytes, piece b at a + offsets[b] + m * a_step. One block
//    is a row of a matrix; a convolution over NHWC has one block per row of its kernel, because
//    the bytes of neighbouring pixels lie side by side.
// W: int8 panels of 16 columns, w_panel bytes apart. A panel holds, for every block, chunks of 64
//    values of k as [16 quads][16 columns][4], zeros beyond k: w_block bytes a block.
//    Where two weights in four along k are kept, a chunk holds the kept ones as [8 eights of k]
//    [16 columns][4] (two of the first four, two of the second), then their places as
//    [8 eights][16 columns] bytes of four times two bits.
// Rows are read up to the end of their last chunk and, by the AMX core, up to a multiple of 16
// rows: that memory must be there, its contents do not matter.
struct IntegerProduct {
  const uint8_t* a = nullptr;
  ptrdiff_t a_step = 0;
  const ptrdiff_t* offsets = nullptr;
  size_t blocks = 1;
  size_t k = 0;
  bool a_is_signed = false;
  const int8_t* w = nullptr;
  ptrdiff_t w_block = 0;
  ptrdiff_t w_panel = 0;
};

inline constexpr size_t kIntegerChunk = 64;         // values of k in a chunk
inline constexpr size_t kIntegerChunkBytes = 1024;  // of a panel
inline constexpr size_t kTwoOfFourChunkBytes = 512 + 128;
inline constexpr size_t kMaxIntegerRows = 32;
inline constexpr size_t kMaxIntegerPanels = 4;

// What computes sums: rows x panels at a time, at most max_rows(panels).
struct IntegerCore {
  size_t max_panels = 1;
  size_t max_rows[kMaxIntegerPanels + 1] = {};
  // sums[row * step + column]. Signed A: sums of (a + 128) * w where `moves_signed`, so that the
  // caller takes 128 times the sum of the column off.
  void (*run)(const IntegerProduct& product, size_t rows, size_t panels, int32_t* sums,
              ptrdiff_t step) = nullptr;
  bool moves_signed = true;
  // Before and after the products of one task on the thread that does them.
  void (*begin)() = nullptr;
  void (*end)() = nullptr;
};

// VNNI, AVX2, NEON or plain loops, by this CPU.
const IntegerCore& vector_integer_core();
// The dot product of ARMv8.2; null where the CPU does not have it.
const IntegerCore* neon_dot_core();
// The same on weights of which two in four are kept: half the dot products, but every one takes its
// bytes by a permutation.
const IntegerCore& two_of_four_core();
// AMX; null where the CPU or the system does not offer it.
const IntegerCore* amx_integer_core();

}  // namespace edgewright
