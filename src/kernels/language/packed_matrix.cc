#include "kernels/language/packed_matrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/language/packed_layout.h"
#include "tensor/half.h"

namespace edgewright::language {
namespace {

size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

// Row of the packed matrix that row r of a source becomes.
size_t placed_row(const PackRequest& request, size_t r) {
  switch (request.placement) {
    case Placement::kStacked: return request.first_row + r;
    case Placement::kGate: return r / kBlockRows * 2 * kBlockRows + r % kBlockRows;
    case Placement::kUp: return (r / kBlockRows * 2 + 1) * kBlockRows + r % kBlockRows;
  }
  return r;
}

// The byte place of one value of a float type inside a block.
size_t float_place(WeightType type, size_t row, size_t column) {
  if (type == WeightType::kF32) return (column * kBlockRows + row) * 4;
  if (type == WeightType::kF16) return (column * kBlockRows + row) * 2;
  return (column / 2 * kBlockRows + row) * 4 + column % 2 * 2;
}

void store_float(WeightType type, float value, std::byte* at) {
  if (type == WeightType::kF32) {
    std::memcpy(at, &value, 4);
    return;
  }
  const uint16_t bits =
      type == WeightType::kF16 ? Half::from_float(value) : Bfloat16::from_float(value);
  std::memcpy(at, &bits, 2);
}

float load_float(WeightType type, const std::byte* at) {
  if (type == WeightType::kF32) {
    float value;
    std::memcpy(&value, at, 4);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, at, 2);
  if (type == WeightType::kF16) return Half::to_float(bits);
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

// The columns [first, first + count) of a source row as floats.
void read_columns(const SourceMatrix& source, size_t row, size_t first, size_t count, float* out) {
  SourceMatrix part = source;
  part.columns = count;
  const auto* bytes = static_cast<const std::byte*>(source.data);
  part.data =
      bytes + source_bytes(source.type, row, source.columns) + source_bytes(source.type, 1, first);
  if (source.scales != nullptr) {
    part.scales =
        source.scales + (row * source.columns + first) / source_block_columns(source.type);
  }
  read_source_row(part, 0, out);
}

void pack_row(const PackRequest& request, size_t r, std::byte* out) {
  const size_t columns = request.source.columns;
  const size_t row = placed_row(request, r);
  std::byte* block = out + row / kBlockRows * block_bytes(request.type, columns);
  const bool exact = exact_weight_type(request.source.type) == request.type;
  const bool quantised = layout_of(request.type).group != 0;
  for (size_t first = 0; first < columns; first += kPieceColumns) {
    const size_t count = std::min(kPieceColumns, columns - first);
    float values[kPieceColumns];
    if (!exact || !quantised) read_columns(request.source, r, first, count, values);
    if (!quantised) {
      for (size_t i = 0; i < count; ++i) {
        store_float(request.type, values[i],
                    block + float_place(request.type, row % kBlockRows, first + i));
      }
      continue;
    }
    QuantPiece piece;
    if (exact) {
      read_exact_piece(request.source, r, first, count, piece);
    } else {
      round_piece(request.type, values, count, piece);
    }
    store_piece(request.type, piece, row % kBlockRows, first, count, block);
  }
}

Result<void> check(const PackRequest& request, size_t out_bytes) {
  const SourceMatrix& source = request.source;
  const bool exact = exact_weight_type(source.type) == request.type;
  const bool rounds = request.type <= WeightType::kQ4G128 || request.type == WeightType::kQ6;
  if (!exact && !rounds) {
    return unsupported("cannot round weights to {}; pack them as int8 or int4",
                       weight_type_name(request.type));
  }
  if (source.columns == 0 || source.columns % source_block_columns(source.type) != 0) {
    return usage_error("{} columns, but the source's blocks have {}", source.columns,
                       source_block_columns(source.type));
  }
  const size_t last = request.source_end == 0 ? 0 : placed_row(request, request.source_end - 1);
  const bool inside = request.source_begin <= request.source_end &&
                      request.source_end <= source.rows &&
                      (request.source_end == request.source_begin || last < request.rows);
  if (!inside || out_bytes != packed_bytes(request.type, request.rows, source.columns)) {
    return usage_error("rows {} to {} of {} do not fit a packed matrix of {} rows in {} bytes",
                       request.source_begin, request.source_end, source.rows, request.rows,
                       out_bytes);
  }
  return {};
}

}  // namespace

const char* weight_type_name(WeightType type) {
  constexpr const char* kNames[kWeightTypeCount] = {
      "f32", "f16", "bf16", "q8", "q4", "q4g128", "q4min", "q8min", "q4k", "q5k", "q6k", "q6"};
  return kNames[static_cast<size_t>(type)];
}

size_t block_bytes(WeightType type, size_t columns) {
  const WeightLayout& layout = layout_of(type);
  const size_t values = filled_columns(columns) * kBlockRows;
  return divide_up(columns, layout.chunk_columns) * layout.header_bytes +
         values * static_cast<size_t>(layout.value_bits) / 8;
}
size_t packed_bytes(WeightType type, size_t rows, size_t columns) {
  return divide_up(rows, kBlockRows) * block_bytes(type, columns);
}
size_t gated_rows(size_t rows) { return divide_up(rows, kBlockRows) * 2 * kBlockRows; }

Result<void> pack_rows(const PackRequest& request, std::span<std::byte> out) {
  if (auto fits = check(request, out.size()); !fits.ok()) return fits;
  for (size_t r = request.source_begin; r < request.source_end; ++r) {
    pack_row(request, r, out.data());
  }
  return {};
}

void unpack_row(const PackedMatrix& matrix, size_t row, float* out) {
  const WeightLayout& layout = layout_of(matrix.type);
  const std::byte* block =
      matrix.data + row / kBlockRows * block_bytes(matrix.type, matrix.columns);
  const size_t r = row % kBlockRows;
  if (layout.group == 0) {
    for (size_t i = 0; i < matrix.columns; ++i) {
      out[i] = load_float(matrix.type, block + float_place(matrix.type, r, i));
    }
    return;
  }
  for (size_t first = 0; first < matrix.columns; first += kPieceColumns) {
    const size_t count = std::min(kPieceColumns, matrix.columns - first);
    QuantPiece piece;
    load_piece(matrix.type, block, r, first, count, piece);
    for (size_t i = 0; i < count; ++i) {
      const GroupScale group = group_scale(matrix.type, piece, i);
      out[first + i] =
          group.scale * static_cast<float>(piece.value[i] - layout.value_offset) + group.minimum;
    }
  }
}

}  // namespace edgewright::language
