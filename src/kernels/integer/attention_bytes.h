#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

// What attention on bytes does between its products, a head at a time.
namespace edgewright {

// How a tensor is rounded to bytes: saturate(round(x / scale) + zero), then exclusive or `flip`,
// which is 0 or 0x80: the same values as the other type of bytes.
struct ByteRounding {
  float scale = 1;
  float zero = 0;
  DType dtype = DType::kUint8;
  uint8_t flip = 0;
};

// `rows` rows of `size` floats, in_step floats apart, to bytes, out_step bytes apart.
void round_rows(const float* in, ptrdiff_t in_step, size_t rows, size_t size,
                const ByteRounding& rounding, uint8_t* out, ptrdiff_t out_step);

// Rows of int8 as the columns of a product: [panel of 16 rows][chunk of 64 of size][16
// quads][16][4] (see integer_tile.h), zeros beyond. sums[row]: of its values.
void pack_byte_columns(const uint8_t* rows, ptrdiff_t step, size_t count, size_t size,
                       int8_t* packed, int32_t* sums);
// Rows of int8 as the depth of a product: [panel of 16 of size][chunk of 64 rows][16 quads][16][4].
void pack_byte_depth(const uint8_t* rows, ptrdiff_t step, size_t count, size_t size,
                     int8_t* packed);

// Takes amounts[row] off every value of a row of int32; whole vectors of 16 may be touched.
void subtract_from_rows(int32_t* values, ptrdiff_t step, size_t rows, size_t columns,
                        const int32_t* amounts);

// Softmax of each of `rows` rows of `count` floats (in place, `step` floats apart), rounded to
// bytes out_step apart. sums[row]: of the bytes, unsigned.
void softmax_to_bytes(float* scores, ptrdiff_t step, size_t rows, size_t count,
                      const ByteRounding& rounding, uint8_t* out, ptrdiff_t out_step,
                      int32_t* sums);

}  // namespace edgewright
