// Products with packed weights on 16 lanes, a lane for each row of a block. Included once by each
// file that defines an instruction set:
//   struct Isa {
//     using Floats, Integers, Bytes = 16 floats, 16 int32, 64 unsigned weight bytes;
//     load_floats, load_halves, load_low_bf16, load_high_bf16, load_bytes, store, low_nibbles,
//     high_nibbles, set_float, set_integer, to_float, multiply, multiply_add
//     with_high_bits<j>(nibbles, bytes): bits 2 j and 2 j + 1 of the bytes become bits 4 and 5
//     unsigned_bytes, signed_bytes: 16 integers of 16 bytes, as floats
//     dot(sum, bytes, inputs): lane i gains bytes[4 i + j] * inputs[j], j < 4; bytes below 128
//     dot_wide: for all bytes; with kOffsetBytes as false it takes 128 from each first
//     kFloatRows, kInt8Rows: rows of inputs at a time, powers of two
//     kStreams: blocks by turns where there is one row of inputs, a power of two
//     kInt8Sums: rows times blocks at a time, at least kStreams and kInt8Rows
//     prefetch(address): fetches the line to the first level; prefetch_stream(address): the line
//     that is used now is one of a single stream, whose next lines are to be fetched
//   };
#include <utility>

#include "kernels/language/product_dot-inl.h"

namespace edgewright::language {
namespace {
// A bundle of int8 inputs from some column on, as Inputs has them.
struct Int8Inputs {
  const int8_t* values;
  const float* scales;
  const int32_t* sums;
  const int32_t* half_sums;
  const int32_t* starts;
};

// The columns of group g of a chunk of every block times kRows rows, added to `total`; x begins at
// the chunk.
template <class Isa, WeightType kType, int kRows, int kBlocks>
inline __attribute__((always_inline)) void add_group(
    Places chunk, size_t g, const Int8Inputs& x, const auto& ahead,
    typename Isa::Floats (&total)[kBlocks][kRows]) {
  constexpr WeightLayout kLayout = kWeightLayouts[static_cast<size_t>(kType)];
  constexpr bool kHalves = kLayout.group == 16;
  constexpr int kColumns = kHalves ? 16 : 32;
  constexpr size_t kGroupBytes = 32 * kBlockRows * kLayout.value_bits / 8;
  constexpr bool kStarts = kLayout.value_offset != 128 || Isa::kOffsetBytes;
  const Places values = chunk + (kLayout.header_bytes + g * kGroupBytes);
#pragma GCC unroll 2
  for (size_t half = 0; half < (kHalves ? 2 : 1); ++half) {
    typename Isa::Integers sum[kBlocks][kRows];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const size_t at = g * kRows + static_cast<size_t>(r);
      int32_t start = 0;
      if constexpr (kHalves) {
        const int32_t inputs_sum = half == 0 ? x.half_sums[at] : x.sums[at] - x.half_sums[at];
        if constexpr (kStarts) start = -kLayout.value_offset * inputs_sum;
      } else if constexpr (kStarts) {
        start = x.starts[at];
      }
#pragma GCC unroll 8
      for (int b = 0; b < kBlocks; ++b) sum[b][r] = Isa::set_integer(start);
    }
    dot_columns<Isa, kType, kColumns, kRows, kBlocks>(values, half * 16, x.values + g * 32 * kRows,
                                                      ahead, sum);
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; ++b) {
      const auto scale = load_scale<Isa, kType>(chunk[b], kHalves ? g * 2 + half : g);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const size_t at = g * kRows + static_cast<size_t>(r);
        auto& sums = total[b][r];
        const auto factor = Isa::multiply(scale, Isa::set_float(x.scales[at]));
        sums = Isa::multiply_add(Isa::to_float(sum[b][r]), factor, sums);
        if constexpr (kLayout.has_minimum) {
          const float weight = x.scales[at] * static_cast<float>(x.sums[at]);
          const auto minimum = load_minimum<Isa, kType>(chunk[b], g);
          sums = Isa::multiply_add(minimum, Isa::set_float(weight), sums);
        }
      }
    }
  }
}

// The first `groups` groups of a chunk of every block times kRows rows, added to `total`. `groups`
// is known when this is compiled but for the last chunk of a block.
template <class Isa, WeightType kType, int kRows, int kBlocks>
inline __attribute__((always_inline)) void add_chunk(
    Places chunk, size_t groups, const Int8Inputs& x, const auto& ahead,
    typename Isa::Floats (&total)[kBlocks][kRows]) {
  constexpr WeightLayout kLayout = kWeightLayouts[static_cast<size_t>(kType)];
#pragma GCC unroll 8
  for (int b = 0; b < kBlocks; ++b) {
    for (size_t i = 0; i < kLayout.header_bytes; i += 64) ahead.fetch(chunk[b] + i);
  }
#pragma GCC unroll 4
  for (size_t g = 0; g < groups; ++g) {
    add_group<Isa, kType, kRows, kBlocks>(chunk, g, x, ahead, total);
  }
}

// kBlocks blocks times kRows rows of int8 inputs: a chunk of each block by turns for one row, which
// memory is too slow for anyway, of all blocks at once for more.
template <class Isa, WeightType kType, int kRows, int kBlocks>
void int8_blocks(const ProductArgs& args, const std::byte* block, size_t first, float* out) {
  constexpr WeightLayout kLayout = kWeightLayouts[static_cast<size_t>(kType)];
  const size_t groups = args.inputs.columns / 32;
  Int8Inputs x = {args.inputs.values + first * args.inputs.columns,
                  args.inputs.scales + first * groups, args.inputs.sums + first * groups,
                  args.inputs.half_sums + first * groups, args.inputs.starts + first * groups};
  constexpr int kTogether = kRows == 1 ? 1 : kBlocks, kTurns = kBlocks / kTogether;
  typename Isa::Floats total[kTurns][kTogether][kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kBlocks * kRows; ++r) {
    total[r / kRows / kTogether][r / kRows % kTogether][r % kRows] = Isa::set_float(0);
  }
  constexpr size_t kChunkGroups = kLayout.chunk_columns / 32;
  Ahead<Isa, kType, kBlocks> ahead;
  const auto add = [&](size_t count) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int t = 0; t < kTurns; ++t) {
      const Places chunk = {block + static_cast<size_t>(t) * args.block_bytes, args.block_bytes};
      add_chunk<Isa, kType, kRows, kTogether>(chunk, count, x, ahead, total[t]);
    }
  };
  const size_t chunks = args.columns / kLayout.chunk_columns;
  for (size_t c = 0; c < chunks; ++c) {
    if (c + ahead.kChunks == chunks) ahead.skipped = (kBlocks - 1) * args.block_bytes;
    add(kChunkGroups);
    block += chunk_bytes(kLayout);
    x.values += kLayout.chunk_columns * kRows;
    x.scales += kChunkGroups * kRows;
    x.sums += kChunkGroups * kRows;
    x.half_sums += kChunkGroups * kRows;
    x.starts += kChunkGroups * kRows;
  }
  // Blocks of 256 columns are always whole.
  if constexpr (kLayout.chunk_columns < kInputColumns) {
    if (const size_t left = args.columns % kLayout.chunk_columns; left != 0) add(left / 32);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kBlocks * kRows; ++r) {
    Isa::store(total[r / kRows / kTogether][r / kRows % kTogether][r % kRows],
               out + static_cast<size_t>(r % kRows) * args.out_step + r / kRows * kBlockRows);
  }
}

// Two consecutive columns of a block of floats.
template <class Isa, WeightType kType>
inline __attribute__((always_inline)) std::pair<typename Isa::Floats, typename Isa::Floats>
load_columns(const std::byte* values) {
  if constexpr (kType == WeightType::kF32) {
    return {Isa::load_floats(values), Isa::load_floats(values + 64)};
  } else if constexpr (kType == WeightType::kF16) {
    return {Isa::load_halves(values), Isa::load_halves(values + 32)};
  } else {
    return {Isa::load_low_bf16(values), Isa::load_high_bf16(values)};
  }
}

// One block times kRows rows of floats. Four sums a row, whatever kRows is: their order is part of
// the result.
template <class Isa, WeightType kType, int kRows>
void float_block(const ProductArgs& args, const std::byte* block, size_t first, float* out) {
  constexpr size_t kPairBytes = kType == WeightType::kF32 ? 128 : 64;
  const size_t stride = args.inputs.columns;
  const float* inputs = args.inputs.floats + first * stride;
  typename Isa::Floats sum[kRows][4];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    for (auto& part : sum[r]) part = Isa::set_float(0);
  }
  for (size_t k = 0; k < args.columns; k += 4, block += 2 * kPairBytes) {
    for (size_t i = 0; i < 2 * kPairBytes; i += 64) Isa::prefetch_stream(block + i);
    const auto [a, b] = load_columns<Isa, kType>(block);
    const auto [c, d] = load_columns<Isa, kType>(block + kPairBytes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const float* x = inputs + static_cast<size_t>(r) * stride + k;
      sum[r][0] = Isa::multiply_add(a, Isa::set_float(x[0]), sum[r][0]);
      sum[r][1] = Isa::multiply_add(b, Isa::set_float(x[1]), sum[r][1]);
      sum[r][2] = Isa::multiply_add(c, Isa::set_float(x[2]), sum[r][2]);
      sum[r][3] = Isa::multiply_add(d, Isa::set_float(x[3]), sum[r][3]);
    }
  }
  const auto one = Isa::set_float(1);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const auto low = Isa::multiply_add(sum[r][0], one, sum[r][1]);
    const auto high = Isa::multiply_add(sum[r][2], one, sum[r][3]);
    Isa::store(Isa::multiply_add(low, one, high), out + static_cast<size_t>(r) * args.out_step);
  }
}

// kBlocks blocks times the rows from `first` on, kRows at a time, then half as many.
template <class Isa, WeightType kType, int kRows, int kBlocks>
void rows_of_blocks(const ProductArgs& args, const std::byte* block, size_t first, float* out) {
  while (args.inputs.rows - first >= kRows) {
    float* at = out + first * args.out_step;
    if constexpr (layout_of(kType).group == 0) {
      float_block<Isa, kType, kRows>(args, block, first, at);
    } else {
      int8_blocks<Isa, kType, kRows, kBlocks>(args, block, first, at);
    }
    first += kRows;
  }
  if constexpr (kRows > 1) {
    if (first < args.inputs.rows) {
      rows_of_blocks<Isa, kType, kRows / 2, kBlocks>(args, block, first, out);
    }
  }
}

// The blocks from `b` on, kBlocks at a time, then half as many.
template <class Isa, WeightType kType, int kRows, int kBlocks>
void blocks_of_rows(const ProductArgs& args, size_t b) {
  for (; b + kBlocks <= args.block_count; b += kBlocks) {
    rows_of_blocks<Isa, kType, kRows, kBlocks>(args, args.blocks + b * args.block_bytes, 0,
                                               args.out + b * kBlockRows);
  }
  if constexpr (kBlocks > 1) blocks_of_rows<Isa, kType, kRows, kBlocks / 2>(args, b);
}

// Blocks of fewer bytes go by fours at most: those of 256 columns were 1 to 3 % slower in eight
// streams, those of 2048 in int4 2 to 5 % slower in four.
inline constexpr size_t kShortBlock = 8192;

// As many rows at a time as there are, kRows at most; of fewer rows more blocks.
template <class Isa, WeightType kType, int kRows>
void int8_rows(const ProductArgs& args) {
  if constexpr (kRows > 1) {
    if (args.inputs.rows < kRows) return int8_rows<Isa, kType, kRows / 2>(args);
  }
  constexpr int kBlocks = std::min(kStreamsOf<Isa, kType>, Isa::kInt8Sums / kRows);
  if (args.block_bytes < kShortBlock) {
    return blocks_of_rows<Isa, kType, kRows, std::min(kBlocks, 4)>(args, 0);
  }
  return blocks_of_rows<Isa, kType, kRows, kBlocks>(args, 0);
}

template <class Isa, WeightType kType>
void blocks_of_type(const ProductArgs& args) {
  if constexpr (layout_of(kType).group == 0) {
    blocks_of_rows<Isa, kType, Isa::kFloatRows, 1>(args, 0);
  } else {
    int8_rows<Isa, kType, Isa::kInt8Rows>(args);
  }
}

template <class Isa>
void multiply_lanes(const ProductArgs& args) {
  using Function = void (*)(const ProductArgs&);
  static constexpr Function kFunctions[kWeightTypeCount] = {
      blocks_of_type<Isa, WeightType::kF32>,   blocks_of_type<Isa, WeightType::kF16>,
      blocks_of_type<Isa, WeightType::kBf16>,  blocks_of_type<Isa, WeightType::kQ8>,
      blocks_of_type<Isa, WeightType::kQ4>,    blocks_of_type<Isa, WeightType::kQ4G128>,
      blocks_of_type<Isa, WeightType::kQ4Min>, blocks_of_type<Isa, WeightType::kQ8Min>,
      blocks_of_type<Isa, WeightType::kQ4K>,   blocks_of_type<Isa, WeightType::kQ5K>,
      blocks_of_type<Isa, WeightType::kQ6K>,   blocks_of_type<Isa, WeightType::kQ6>};
  kFunctions[static_cast<size_t>(args.type)](args);
}

inline InputForm lanes_form(WeightType type) {
  return layout_of(type).group == 0 ? InputForm::kFloats : InputForm::kInt8;
}

// The table's row of an instruction set.
template <class Isa>
ProductRow lanes_product(std::string_view name, std::vector<std::string_view> features) {
  return {name,
          std::move(features),
          lanes_form,
          Isa::kInt8Rows,
          [](WeightType, Phase) { return true; },
          [](size_t) { return size_t{0}; },
          multiply_lanes<Isa>};
}

}  // namespace
}  // namespace edgewright::language
