#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/epilogue.h"

namespace edgewright {

// Sums of products with sparse weights for some positions: the inputs lie in planes, one behind the
// other, so that a weight meets neighbouring positions as vectors. Whatever weights there are,
// every one that is not zero costs one multiply-add a vector, and no others are touched.
struct SparseTile {
  const float* x = nullptr;          // the first position
  const float* weights = nullptr;    // of all rows
  const int32_t* offsets = nullptr;  // of each weight's input from the position, in floats
  const uint32_t* begins = nullptr;  // rows + 1: the weights of every output
  size_t outputs = 0;
  size_t positions = 0;   // at most kSparsePositions; read as whole vectors of up to 16 floats
  float* sums = nullptr;  // output o at [o * step]
  ptrdiff_t step = 0;
  bool add = false;  // to what the sums are already
};
inline constexpr size_t kSparsePositions = 128;
void sparse_sums(const SparseTile& tile);

// The same where there are few positions: position p lies at x + p * x_step and its inputs are
// gathered.
void sparse_dots(const SparseTile& tile, ptrdiff_t x_step);

// 32-bit numbers of any kind: to[c * to_step + r] = from[r * from_step + c]; steps in numbers.
void transpose_words(const void* from, ptrdiff_t from_step, size_t rows, size_t columns, void* to,
                     ptrdiff_t to_step);

// What becomes of sums: rows of at most 16 columns.
struct RowFinish {
  const float* bias = nullptr;      // 16 columns; null: none
  const float* residual = nullptr;  // laid out as `out`; null: none
  float* out = nullptr;
  ptrdiff_t step = 0;  // floats from row to row
  size_t columns = 16;
};
// values[row * values_step + column], whole vectors of 16 are read.
void finish_rows(const float* values, ptrdiff_t values_step, size_t rows, const Epilogue& epilogue,
                 const RowFinish& finish);
// The same for sums[column * sums_step + row], as sparse_sums() makes them: at most
// kSparsePositions rows, 16 columns are read.
void finish_columns(const float* sums, ptrdiff_t sums_step, size_t rows, const Epilogue& epilogue,
                    const RowFinish& finish);

}  // namespace edgewright
