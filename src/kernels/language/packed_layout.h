#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/language/packed_matrix.h"

// The bytes of a packed matrix.
//
// Block of 16 rows: its chunks of chunk_columns one after the other. Chunk: a header, whose size is
// a multiple of 64, and the values. The last chunk has a whole header, and values of as many
// columns as the matrix has left, filled up to a multiple of 32.
//   fp32, fp16  no header; [column][16 rows]
//   bf16        no header; [column / 2][16 rows][2], as matrix units of x86 take them
//   8 bits      vectors of 64 bytes, [column / 4][16 rows][4]
//   4 bits      vectors of 64 bytes, [column / 8][16 rows][4]: the low half of byte i is column i
//   of
//               the eight, the high half column i + 4
//   6 bits      the same of each 32 columns, then the upper two bits of each value, in vectors of
//               64 bytes, [column / 16][16 rows][4]: bits 2 j and 2 j + 1 of byte i are of column
//               4 j + i of the sixteen
// Headers, all arrays with 16 rows innermost:
//   kQ8, kQ4, kQ6   fp16 scale[2]            (groups of 32)
//   kQ4G128         fp32 scale
//   kQ4Min, kQ8Min  fp16 scale[2], minimum[2]
//   kQ4K, kQ5K      fp16 factor, minimum_factor; uint8 scale[8], minimum[8]
//   kQ6K            fp16 factor, 32 bytes of zeros; int8 scale[16]
// Values are stored unsigned: what is signed has value_offset added.
namespace edgewright::language {

struct WeightLayout {
  size_t chunk_columns;
  size_t header_bytes;  // of a chunk
  int value_bits;
  int value_offset;  // of the stored over the real value
  size_t group;      // columns that share a scale; 0: no scales
  bool has_minimum;
  bool has_factors;  // scales of two levels
};

inline constexpr std::array<WeightLayout, kWeightTypeCount> kWeightLayouts = {{
    {32, 0, 32, 0, 0, false, false},     // kF32
    {32, 0, 16, 0, 0, false, false},     // kF16
    {32, 0, 16, 0, 0, false, false},     // kBf16
    {64, 64, 8, 128, 32, false, false},  // kQ8
    {64, 64, 4, 8, 32, false, false},    // kQ4
    {128, 64, 4, 8, 128, false, false},  // kQ4G128
    {64, 128, 4, 0, 32, true, false},    // kQ4Min
    {64, 128, 8, 0, 32, true, false},    // kQ8Min
    {256, 320, 4, 0, 32, true, true},    // kQ4K
    {256, 320, 8, 0, 32, true, true},    // kQ5K
    {256, 320, 6, 32, 16, false, true},  // kQ6K
    {64, 64, 6, 32, 32, false, false},   // kQ6
}};
constexpr const WeightLayout& layout_of(WeightType type) {
  return kWeightLayouts[static_cast<size_t>(type)];
}
inline constexpr size_t kFilledColumns = 32;
constexpr size_t chunk_bytes(const WeightLayout& layout) {
  return layout.header_bytes +
         layout.chunk_columns * kBlockRows * static_cast<size_t>(layout.value_bits) / 8;
}
// Columns that a block holds.
constexpr size_t filled_columns(size_t columns) {
  return (columns + kFilledColumns - 1) / kFilledColumns * kFilledColumns;
}

// Up to 256 columns of one row in quantised form: what blocks of the types have in common. Fields
// that a type lacks stay as they are.
inline constexpr size_t kPieceColumns = 256;
struct QuantPiece {
  uint8_t value[kPieceColumns] = {};  // as stored: value_offset added
  uint16_t scale[8] = {};             // fp16, a group of 32 each
  uint16_t minimum[8] = {};           // fp16
  float wide_scale[2] = {};           // a group of 128 each
  uint8_t sub_scale[16] = {};         // K types: a group of 32 (kQ6K, int8: 16) each
  uint8_t sub_minimum[8] = {};
  uint16_t factor = 0;  // fp16
  uint16_t minimum_factor = 0;
};

// Columns from first_column on, a multiple of 256, of row `row` (below 16) of a block.
void store_piece(WeightType type, const QuantPiece& piece, size_t row, size_t first_column,
                 size_t count, std::byte* block);
void load_piece(WeightType type, const std::byte* block, size_t row, size_t first_column,
                size_t count, QuantPiece& piece);

// Scale and minimum of the group that holds `column` of a piece: value = scale * (stored -
// value_offset) + minimum.
struct GroupScale {
  float scale;
  float minimum;
};
GroupScale group_scale(WeightType type, const QuantPiece& piece, size_t column);

// The piece of a source whose exact type is quantised, without rounding.
void read_exact_piece(const SourceMatrix& source, size_t row, size_t first_column, size_t count,
                      QuantPiece& piece);
// Rounds floats to kQ8, kQ4, kQ4G128 or kQ6.
void round_piece(WeightType type, const float* x, size_t count, QuantPiece& piece);

}  // namespace edgewright::language
