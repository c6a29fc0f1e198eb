// Rows of unpacked matrices: floats and the blocks of GGUF.
#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/language/packed_layout.h"
#include "tensor/half.h"

namespace edgewright::language {
namespace {

struct SourceFormat {
  size_t block_columns;
  size_t block_bytes;
  WeightType exact;
};
constexpr std::array<SourceFormat, kSourceTypeCount> kFormats = {{
    {1, 4, WeightType::kF32},         // kF32
    {1, 2, WeightType::kF16},         // kF16
    {1, 2, WeightType::kBf16},        // kBf16
    {32, 34, WeightType::kQ8},        // kQ8_0
    {32, 18, WeightType::kQ4},        // kQ4_0
    {32, 20, WeightType::kQ4Min},     // kQ4_1
    {32, 22, WeightType::kQ8},        // kQ5_0
    {32, 24, WeightType::kQ8Min},     // kQ5_1
    {256, 144, WeightType::kQ4K},     // kQ4_K
    {256, 176, WeightType::kQ5K},     // kQ5_K
    {256, 210, WeightType::kQ6K},     // kQ6_K
    {32, 32, WeightType::kQ8},        // kInt8G32
    {32, 32, WeightType::kQ4},        // kInt4G32
    {128, 128, WeightType::kQ4G128},  // kInt4G128
}};
const SourceFormat& format_of(SourceType type) { return kFormats[static_cast<size_t>(type)]; }

uint16_t read_u16(const uint8_t* at) {
  uint16_t value;
  std::memcpy(&value, at, 2);
  return value;
}

// Block of 32 values from nibbles: low halves are the first sixteen.
void read_nibbles(const uint8_t* nibbles, uint8_t* value) {
  for (size_t i = 0; i < 16; ++i) {
    value[i] = nibbles[i] & 0x0f;
    value[i + 16] = nibbles[i] >> 4;
  }
}
void add_fifth_bits(const uint8_t* bits, uint8_t* value) {
  for (size_t i = 0; i < 32; ++i)
    value[i] |= static_cast<uint8_t>((bits[i / 8] >> (i % 8) & 1) << 4);
}

void read_block_of_32(SourceType type, const uint8_t* block, size_t group, QuantPiece& piece) {
  uint8_t* value = piece.value + group * 32;
  piece.scale[group] = read_u16(block);
  switch (type) {
    case SourceType::kQ8_0:
      for (size_t i = 0; i < 32; ++i) value[i] = block[2 + i] ^ 0x80;
      return;
    case SourceType::kQ4_0: read_nibbles(block + 2, value); return;
    case SourceType::kQ4_1:
      piece.minimum[group] = read_u16(block + 2);
      read_nibbles(block + 4, value);
      return;
    case SourceType::kQ5_0:
      read_nibbles(block + 6, value);
      add_fifth_bits(block + 2, value);
      // Of -16..15 in the file to an offset of 128.
      for (size_t i = 0; i < 32; ++i) value[i] = static_cast<uint8_t>(value[i] + 112);
      return;
    default:  // kQ5_1
      piece.minimum[group] = read_u16(block + 2);
      read_nibbles(block + 8, value);
      add_fifth_bits(block + 4, value);
  }
}

// Eight 6-bit scales and minima in twelve bytes: the first four of each have bytes of their own,
// whose upper two bits are the upper two bits of the last four.
void read_six_bit_scales(const uint8_t* packed, QuantPiece& piece) {
  for (size_t j = 0; j < 4; ++j) {
    piece.sub_scale[j] = packed[j] & 63;
    piece.sub_minimum[j] = packed[j + 4] & 63;
    piece.sub_scale[j + 4] = static_cast<uint8_t>((packed[j + 8] & 15) | (packed[j] >> 6 << 4));
    piece.sub_minimum[j + 4] =
        static_cast<uint8_t>((packed[j + 8] >> 4) | (packed[j + 4] >> 6 << 4));
  }
}

void read_q4_k(const uint8_t* block, const uint8_t* fifth_bits, const uint8_t* nibbles,
               QuantPiece& piece) {
  piece.factor = read_u16(block);
  piece.minimum_factor = read_u16(block + 2);
  read_six_bit_scales(block + 4, piece);
  for (size_t pair = 0; pair < 4; ++pair) {
    for (size_t i = 0; i < 32; ++i) {
      const uint8_t both = nibbles[pair * 32 + i];
      const int fifth = fifth_bits == nullptr ? 0 : fifth_bits[i] >> (2 * pair);
      piece.value[pair * 64 + i] = static_cast<uint8_t>((both & 15) | (fifth & 1) << 4);
      piece.value[pair * 64 + 32 + i] = static_cast<uint8_t>((both >> 4) | (fifth >> 1 & 1) << 4);
    }
  }
}

void read_q6_k(const uint8_t* block, QuantPiece& piece) {
  const uint8_t* const high_bits = block + 128;
  std::memcpy(piece.sub_scale, block + 192, 16);
  piece.factor = read_u16(block + 208);
  for (size_t half = 0; half < 2; ++half) {
    for (size_t quarter = 0; quarter < 4; ++quarter) {
      for (size_t i = 0; i < 32; ++i) {
        const uint8_t both = block[half * 64 + quarter % 2 * 32 + i];
        const int low = quarter < 2 ? both & 15 : both >> 4;
        const int high = high_bits[half * 32 + i] >> (2 * quarter) & 3;
        piece.value[half * 128 + quarter * 32 + i] = static_cast<uint8_t>(low | high << 4);
      }
    }
  }
}

void read_integers(const SourceMatrix& source, size_t row, size_t first, size_t count,
                   QuantPiece& piece) {
  const auto* integers = static_cast<const int8_t*>(source.data) + row * source.columns + first;
  const int offset = layout_of(exact_weight_type(source.type)).value_offset;
  for (size_t i = 0; i < count; ++i) piece.value[i] = static_cast<uint8_t>(integers[i] + offset);
  const size_t group = format_of(source.type).block_columns;
  const float* scales = source.scales + (row * source.columns + first) / group;
  for (size_t g = 0; g * group < count; ++g) {
    if (group == 128) {
      piece.wide_scale[g] = scales[g];
    } else {
      piece.scale[g] = Half::from_float(scales[g]);
    }
  }
}

}  // namespace

size_t source_block_columns(SourceType type) { return format_of(type).block_columns; }
size_t source_bytes(SourceType type, size_t rows, size_t columns) {
  return rows * (columns / format_of(type).block_columns) * format_of(type).block_bytes;
}
WeightType exact_weight_type(SourceType type) { return format_of(type).exact; }

void read_exact_piece(const SourceMatrix& source, size_t row, size_t first_column, size_t count,
                      QuantPiece& piece) {
  if (source.type >= SourceType::kInt8G32) {
    return read_integers(source, row, first_column, count, piece);
  }
  const SourceFormat& format = format_of(source.type);
  const auto* bytes = static_cast<const uint8_t*>(source.data);
  const size_t first_block = (row * source.columns + first_column) / format.block_columns;
  for (size_t b = 0; b * format.block_columns < count; ++b) {
    const uint8_t* block = bytes + (first_block + b) * format.block_bytes;
    switch (source.type) {
      case SourceType::kQ4_K: read_q4_k(block, nullptr, block + 16, piece); break;
      case SourceType::kQ5_K: read_q4_k(block, block + 16, block + 48, piece); break;
      case SourceType::kQ6_K: read_q6_k(block, piece); break;
      default: read_block_of_32(source.type, block, b, piece);
    }
  }
}

void read_source_row(const SourceMatrix& source, size_t row, float* out) {
  const size_t columns = source.columns;
  const auto* bytes =
      static_cast<const uint8_t*>(source.data) + row * source_bytes(source.type, 1, columns);
  switch (source.type) {
    case SourceType::kF32: std::memcpy(out, bytes, columns * 4); return;
    case SourceType::kF16:
      for (size_t i = 0; i < columns; ++i) out[i] = Half::to_float(read_u16(bytes + i * 2));
      return;
    case SourceType::kBf16:
      for (size_t i = 0; i < columns; ++i) {
        const uint32_t bits = uint32_t{read_u16(bytes + i * 2)} << 16;
        std::memcpy(out + i, &bits, 4);
      }
      return;
    default: break;
  }
  const WeightType type = exact_weight_type(source.type);
  const int offset = layout_of(type).value_offset;
  for (size_t first = 0; first < columns; first += kPieceColumns) {
    const size_t count = std::min(kPieceColumns, columns - first);
    QuantPiece piece;
    read_exact_piece(source, row, first, count, piece);
    for (size_t i = 0; i < count; ++i) {
      const GroupScale group = group_scale(type, piece, i);
      out[first + i] = group.scale * static_cast<float>(piece.value[i] - offset) + group.minimum;
    }
  }
}

}  // namespace edgewright::language
