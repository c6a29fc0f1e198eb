#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/language/linear.h"
#include "kernels/language/packed_layout.h"

// The core of linear(): input rows, rounded as an implementation wants them, times blocks of a
// packed matrix.
namespace edgewright::language {

// Columns of the inputs are filled up with zeros to a multiple of this, which every chunk divides.
inline constexpr size_t kInputColumns = 256;
// Input rows are worked on in groups, so that a group stays in the second-level cache while blocks
// of weights pass by.
inline constexpr size_t kGroupRows = 512;
// Blocks whose raw products lie in scratch memory before they are finished.
inline constexpr size_t kStepBlocks = 8;
// Floats between two of their rows: 64 bytes more than they hold, so that rows below each other do
// not all fall into the same few sets of a cache.
inline constexpr size_t kRawStep = kStepBlocks * 16 + 16;
// Rows of a matrix unit's tile; bf16 inputs are filled up to whole tiles.
inline constexpr size_t kTileRows = 16;
inline constexpr size_t kTileColumns = 32;
// Columns of a slice: its tiles lie together for all rows, because at a distance of whole rows they
// would share a few sets of the second-level cache.
inline constexpr size_t kSliceColumns = 256;
inline constexpr size_t kSliceTiles = kSliceColumns / kTileColumns;

enum class InputForm : uint8_t {
  kFloats,  // fp32, [row][columns]
  kInt8,    // int8 with scales, in bundles of rows
  kTiles,   // bf16, [column / 256][row / 16][column % 256 / 32][16][32]
};

// Rows of int8 inputs lie together in bundles, group of columns by group, so that an instruction
// finds those of every row at a fixed distance: as many bundles of as many rows as the
// implementation works on together, then half as many, and so on.
struct Bundle {
  size_t first, rows;
};
// That of row m of `rows`; most: of a bundle, a power of two.
inline Bundle bundle_of(size_t m, size_t rows, size_t most) {
  size_t first = 0;
  for (size_t size = most;; size /= 2) {
    const size_t end = first + (rows - first) / size * size;
    if (m < end) return {first + (m - first) / size * size, size};
    first = end;
  }
}

// Inputs in the form that the implementation asked for; the others are null. `columns` is filled
// up, and so are all strides.
struct Inputs {
  size_t rows = 0;
  size_t columns = 0;
  const float* floats = nullptr;
  // Bundle of rows by bundle: [columns / 32][row of the bundle][32].
  const int8_t* values = nullptr;
  const float* scales = nullptr;       // [columns / 32][row of the bundle], and so all others
  const int32_t* sums = nullptr;       // of the values of a group of 32
  const int32_t* half_sums = nullptr;  // of the first 16 of them
  const int32_t* starts = nullptr;     // -sum * offset of the weights' integers
  const uint16_t* tiles = nullptr;
};

struct ProductArgs {
  WeightType type = WeightType::kF32;
  const std::byte* blocks = nullptr;  // the first block to multiply with
  size_t block_bytes = 0;             // from one to the next
  size_t block_count = 0;             // at most kStepBlocks
  size_t columns = 0;                 // that a block holds, a multiple of 32
  Inputs inputs;
  float* out = nullptr;  // raw products, [row][16 * block_count]
  size_t out_step = 0;
  std::byte* scratch = nullptr;  // of this thread, 64-byte aligned
};

struct ProductRow {
  std::string_view name;
  std::vector<std::string_view> features;  // of the CPU, that it needs
  InputForm (*form)(WeightType type);
  size_t bundle_rows;  // of int8 inputs
  bool (*supports)(WeightType type, Phase phase);
  size_t (*scratch_bytes)(size_t columns);  // columns filled up
  void (*multiply)(const ProductArgs& args);
};

// The rows of the table. Those that the compiler cannot make are unavailable: they support nothing.
ProductRow unavailable_product(std::string_view name);
ProductRow product_amx();
ProductRow product_avx512vnni();
ProductRow product_avxvnni();
ProductRow product_avx2();
ProductRow product_neon();
ProductRow product_reference();

// The implementations, best first; linear() takes the first that this CPU can run and that supports
// the weights. The last is the reference.
std::span<const ProductRow> product_implementations();
bool product_supported(const ProductRow& row, WeightType type, Phase phase);
// linear() with one implementation, for tests and benches; false where it is not supported.
bool linear_with(const ProductRow& row, const LinearCall& call, std::span<std::byte> workspace,
                 ThreadPool& pool);

// Where a row's int8 form goes: its first group, and how far the next one is.
struct Int8Row {
  int8_t* values;
  float* scales;
  int32_t *sums, *half_sums, *starts;
  size_t step;     // rows of the bundle
  int32_t offset;  // of the weights' integers
};
// Plain conversion of float rows to the forms. `x` has `columns` values, filled up with zeros.
void encode_int8(const float* x, size_t columns, const Int8Row& row);
// A row of tiles in bf16: value k goes to tile[k / 256 * slice_step + k % 256 / 32 * 512 + k % 32].
void encode_tile_row(const float* x, size_t columns, size_t slice_step, uint16_t* tile);

// Finishes raw products of one row: [16 * block_count] values of which the first is packed row
// first_row. Writes to `output`, the whole output row.
void finish_row(const LinearCall& call, const float* raw, size_t first_row, size_t block_count,
                const float* residual, float* output);

}  // namespace edgewright::language
