#include "kernels/language/packed_layout.h"

#include <algorithm>
#include <cstring>

#include "tensor/half.h"

namespace edgewright::language {
namespace {

// One direction of a copy between a piece and its place in a chunk, so that the layout is written
// down once. `kStore`: from the piece to the chunk.
template <bool kStore, class T, class Byte>
void move_value(T& value, Byte* at) {
  if constexpr (kStore) {
    std::memcpy(at, &value, sizeof(T));
  } else {
    std::memcpy(&value, at, sizeof(T));
  }
}

template <bool kStore, class Byte, class Piece>
void move_header(WeightType type, Piece& piece, size_t row, size_t chunk_in_piece, Byte* chunk) {
  const auto halves = [&](auto& array, size_t count, size_t first, size_t offset) {
    for (size_t g = 0; g < count; ++g) {
      move_value<kStore>(array[first + g], chunk + offset + (g * kBlockRows + row) * 2);
    }
  };
  const auto bytes = [&](auto& array, size_t count, size_t offset) {
    for (size_t g = 0; g < count; ++g) {
      move_value<kStore>(array[g], chunk + offset + g * kBlockRows + row);
    }
  };
  switch (type) {
    case WeightType::kQ8:
    case WeightType::kQ6:
    case WeightType::kQ4: halves(piece.scale, 2, chunk_in_piece * 2, 0); return;
    case WeightType::kQ4G128:
      move_value<kStore>(piece.wide_scale[chunk_in_piece], chunk + row * 4);
      return;
    case WeightType::kQ4Min:
    case WeightType::kQ8Min:
      halves(piece.scale, 2, chunk_in_piece * 2, 0);
      halves(piece.minimum, 2, chunk_in_piece * 2, 64);
      return;
    case WeightType::kQ4K:
    case WeightType::kQ5K:
      move_value<kStore>(piece.factor, chunk + row * 2);
      move_value<kStore>(piece.minimum_factor, chunk + 32 + row * 2);
      bytes(piece.sub_scale, 8, 64);
      bytes(piece.sub_minimum, 8, 64 + 8 * kBlockRows);
      return;
    case WeightType::kQ6K:
      move_value<kStore>(piece.factor, chunk + row * 2);
      bytes(piece.sub_scale, 16, 64);
      return;
    default: return;
  }
}

// Where some bits of a value lie: `mask` of the byte `place`, `shift` to the left; in the value
// they are `from` to the left.
struct BitPlace {
  size_t place;
  int mask, shift, from;
};
// The one or two places of a value in the column of a row among the values of a chunk.
struct BitPlaces {
  BitPlace parts[2];
  size_t count;
};
BitPlaces bit_places(int bits, size_t column, size_t row) {
  const size_t in_vector = row * 4 + column % 4;
  if (bits == 8) return {{{column / 4 * 64 + in_vector, 0xff, 0, 0}, {}}, 1};
  const size_t group = column / 32 * 32 * kBlockRows * static_cast<size_t>(bits) / 8;
  const size_t within = column % 32;
  const BitPlace low = {group + within / 8 * 64 + in_vector, 0x0f, within % 8 < 4 ? 0 : 4, 0};
  if (bits == 4) return {{low, {}}, 1};
  const BitPlace high = {group + 256 + within / 16 * 64 + in_vector, 0x03,
                         static_cast<int>(within % 16 / 4 * 2), 4};
  return {{low, high}, 2};
}

}  // namespace

void store_piece(WeightType type, const QuantPiece& piece, size_t row, size_t first_column,
                 size_t count, std::byte* block) {
  const WeightLayout& layout = layout_of(type);
  for (size_t c = 0; c < count; c += layout.chunk_columns) {
    const size_t in_piece = c / layout.chunk_columns;
    std::byte* chunk = block + (first_column + c) / layout.chunk_columns * chunk_bytes(layout);
    move_header<true>(type, piece, row, in_piece, chunk);
    std::byte* values = chunk + layout.header_bytes;
    // Columns beyond the matrix keep their zero bytes: inputs there are zero.
    const size_t valid = std::min(layout.chunk_columns, count - c);
    for (size_t k = 0; k < valid; ++k) {
      const BitPlaces places = bit_places(layout.value_bits, k, row);
      for (size_t i = 0; i < places.count; ++i) {
        const BitPlace& part = places.parts[i];
        const int kept = static_cast<int>(values[part.place]) & ~(part.mask << part.shift);
        const int bits = (piece.value[c + k] >> part.from) & part.mask;
        values[part.place] = static_cast<std::byte>(kept | bits << part.shift);
      }
    }
  }
}

void load_piece(WeightType type, const std::byte* block, size_t row, size_t first_column,
                size_t count, QuantPiece& piece) {
  const WeightLayout& layout = layout_of(type);
  for (size_t c = 0; c < count; c += layout.chunk_columns) {
    const size_t in_piece = c / layout.chunk_columns;
    const std::byte* chunk =
        block + (first_column + c) / layout.chunk_columns * chunk_bytes(layout);
    move_header<false>(type, piece, row, in_piece, chunk);
    const std::byte* values = chunk + layout.header_bytes;
    const size_t valid = std::min(layout.chunk_columns, count - c);
    for (size_t k = 0; k < valid; ++k) {
      const BitPlaces places = bit_places(layout.value_bits, k, row);
      int value = 0;
      for (size_t i = 0; i < places.count; ++i) {
        const BitPlace& part = places.parts[i];
        value |= ((static_cast<int>(values[part.place]) >> part.shift) & part.mask) << part.from;
      }
      piece.value[c + k] = static_cast<uint8_t>(value);
    }
  }
}

GroupScale group_scale(WeightType type, const QuantPiece& piece, size_t column) {
  const size_t group = column / 32;
  switch (type) {
    case WeightType::kQ4G128: return {piece.wide_scale[column / 128], 0};
    case WeightType::kQ4Min:
    case WeightType::kQ8Min:
      return {Half::to_float(piece.scale[group]), Half::to_float(piece.minimum[group])};
    case WeightType::kQ4K:
    case WeightType::kQ5K:
      return {Half::to_float(piece.factor) * static_cast<float>(piece.sub_scale[group]),
              -Half::to_float(piece.minimum_factor) * static_cast<float>(piece.sub_minimum[group])};
    case WeightType::kQ6K:
      return {Half::to_float(piece.factor) *
                  static_cast<float>(static_cast<int8_t>(piece.sub_scale[column / 16])),
              0};
    default: return {Half::to_float(piece.scale[group]), 0};
  }
}

}  // namespace edgewright::language
