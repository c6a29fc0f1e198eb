// Scales and integer products of one group of columns of a block, on 16 lanes: the part of
// product_lanes-inl.h that knows how the values of a weight type lie. Isa is as described there.
#include <algorithm>

#include "kernels/language/packed_layout.h"
#include "kernels/language/product.h"

namespace edgewright::language {
namespace {

// Blocks that are worked on by turns where there is one row of inputs: a row alone is as quick as
// weights come from memory, and several streams of them come quicker than one. The long chunks of
// scales of two levels come no quicker in more than two.
template <class Isa, WeightType kType>
inline constexpr int kStreamsOf = layout_of(kType).has_factors ? 2 : Isa::kStreams;

// Where weights that are used later lie. Streams run through blocks side by side; what follows the
// end of a stream's block is another stream's, and its own next block lies behind those of all.
template <class Isa, WeightType kType, int kStreams>
struct Ahead {
  // In whole chunks: eight kilobytes of all streams together.
  static constexpr size_t kChunk = chunk_bytes(layout_of(kType));
  static constexpr size_t kChunks = std::max<size_t>(1, (8192 / kStreams + kChunk / 2) / kChunk);
  size_t skipped = 0;  // bytes to the next block of the stream from the end of this one

  // For every line that is used now.
  void fetch(const std::byte* at) const {
    if constexpr (kStreams == 1) {
      Isa::prefetch_stream(at);
    } else {
      Isa::prefetch(at + kChunks * kChunk + skipped);
    }
  }
};

// Scales and minima of one group of a chunk, a lane for each row.
template <class Isa, WeightType kType>
inline __attribute__((always_inline)) typename Isa::Floats load_scale(const std::byte* chunk,
                                                                      size_t group) {
  constexpr const WeightLayout& kLayout = kWeightLayouts[static_cast<size_t>(kType)];
  if constexpr (kType == WeightType::kQ4G128) {
    return Isa::load_floats(chunk);
  } else if constexpr (!kLayout.has_factors) {
    return Isa::load_halves(chunk + group * 32);
  } else if constexpr (kType == WeightType::kQ6K) {
    return Isa::multiply(Isa::load_halves(chunk), Isa::signed_bytes(chunk + 64 + group * 16));
  } else {
    return Isa::multiply(Isa::load_halves(chunk), Isa::unsigned_bytes(chunk + 64 + group * 16));
  }
}
template <class Isa, WeightType kType>
inline __attribute__((always_inline)) typename Isa::Floats load_minimum(const std::byte* chunk,
                                                                        size_t group) {
  constexpr const WeightLayout& kLayout = kWeightLayouts[static_cast<size_t>(kType)];
  if constexpr (!kLayout.has_factors) {
    return Isa::load_halves(chunk + 64 + group * 32);
  } else {
    const auto factor = Isa::multiply(Isa::load_halves(chunk + 32), Isa::set_float(-1.0f));
    return Isa::multiply(factor, Isa::unsigned_bytes(chunk + 64 + 128 + group * 16));
  }
}

// Integer products of half a group of 32 columns of 6 bits, from its nibbles and its upper bits.
// Inputs of a row lie 32 bytes after those of the row before.
template <class Isa, int kRows>
inline __attribute__((always_inline)) void dot_six_bits(const std::byte* nibbles,
                                                        const std::byte* upper_bits,
                                                        const int8_t* inputs, const auto& ahead,
                                                        typename Isa::Integers (&sum)[kRows]) {
  for (const std::byte* line : {nibbles, nibbles + 64, upper_bits}) ahead.fetch(line);
  const auto first = Isa::load_bytes(nibbles), second = Isa::load_bytes(nibbles + 64);
  const auto upper = Isa::load_bytes(upper_bits);
  const typename Isa::Bytes bytes[4] = {
      Isa::template with_high_bits<0>(Isa::low_nibbles(first), upper),
      Isa::template with_high_bits<1>(Isa::high_nibbles(first), upper),
      Isa::template with_high_bits<2>(Isa::low_nibbles(second), upper),
      Isa::template with_high_bits<3>(Isa::high_nibbles(second), upper)};
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sum[r] = Isa::dot(sum[r], bytes[j], inputs + 4 * j);
    inputs += 32;
  }
}

// The same place in several blocks.
struct Places {
  const std::byte* first;
  size_t step;  // from a block to the next
  const std::byte* operator[](int b) const { return first + static_cast<size_t>(b) * step; }
  Places operator+(size_t bytes) const { return {first + bytes, step}; }
};

// Integer products of kColumns of the 32 columns whose values begin at `values`, from the
// `first` on, of every block with kRows rows of inputs.
template <class Isa, WeightType kType, int kColumns, int kRows, int kBlocks>
inline __attribute__((always_inline)) void dot_columns(
    Places values, size_t first, const int8_t* inputs, const auto& ahead,
    typename Isa::Integers (&sum)[kBlocks][kRows]) {
  constexpr WeightLayout kLayout = kWeightLayouts[static_cast<size_t>(kType)];
  constexpr int kVectorColumns = kLayout.value_bits == 8 ? 4 : 8;
  inputs += first;
  if constexpr (kLayout.value_bits == 6) {
#pragma GCC unroll 2
    for (size_t k = first; k < first + kColumns; k += 16, inputs += 16) {
#pragma GCC unroll 8
      for (int b = 0; b < kBlocks; ++b) {
        dot_six_bits<Isa, kRows>(values[b] + k * 8, values[b] + 256 + k * 4, inputs, ahead, sum[b]);
      }
    }
    return;
  }
  values = values + first * kBlockRows * kLayout.value_bits / 8;
#pragma GCC unroll 8
  for (int v = 0; v < kColumns / kVectorColumns; ++v) {
    typename Isa::Bytes low[kBlocks], high[kBlocks];
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; ++b) {
      const std::byte* at = values[b] + v * 64;
      ahead.fetch(at);
      low[b] = Isa::load_bytes(at);
      if constexpr (kLayout.value_bits != 8) {
        high[b] = Isa::high_nibbles(low[b]);
        low[b] = Isa::low_nibbles(low[b]);
      }
    }
    // A row's inputs meet all blocks: loading them takes as long as multiplying.
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const int8_t* row = inputs + v * kVectorColumns + r * 32;
#pragma GCC unroll 8
      for (int b = 0; b < kBlocks; ++b) {
        if constexpr (kLayout.value_bits == 8 && kLayout.value_offset == 128) {
          sum[b][r] = Isa::dot_wide(sum[b][r], low[b], row);
        } else {
          sum[b][r] = Isa::dot(sum[b][r], low[b], row);
        }
      }
      if constexpr (kLayout.value_bits == 8) continue;
#pragma GCC unroll 8
      for (int b = 0; b < kBlocks; ++b) sum[b][r] = Isa::dot(sum[b][r], high[b], row + 4);
    }
  }
}

}  // namespace
}  // namespace edgewright::language
