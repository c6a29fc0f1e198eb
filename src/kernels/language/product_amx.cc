// Products in bf16 on the matrix unit of x86: tiles of 16 rows of inputs by 16 rows of weights by
// 32 columns. Weights are widened to bf16 once per group of input rows.
#include "kernels/amx_tiles.h"
#include "kernels/language/product.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#pragma GCC push_options
// GCC 12 warns of the deliberately undefined values in its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c,amx-tile,amx-bf16")

namespace edgewright::language {
namespace {

constexpr size_t kTileBytes = kTileRows * kTileColumns * 2;

// Two vectors of 16 floats, columns k and k + 1 of 16 rows, as a row of a tile: pairs in 32 bits.
inline __m512i pair_bf16(__m512 even, __m512 odd) {
  // Round to nearest: half of the last place kept is added before the rest is dropped.
  const __m512i half = _mm512_set1_epi32(0x8000);
  const __m512i a = _mm512_add_epi32(_mm512_castps_si512(even), half);
  const __m512i b = _mm512_add_epi32(_mm512_castps_si512(odd), half);
  // 0xca: bits of b where the mask is set, else those of a.
  return _mm512_ternarylogic_epi32(_mm512_set1_epi32(static_cast<int>(0xffff0000)), b,
                                   _mm512_srli_epi32(a, 16), 0xca);
}

struct Scale {
  __m512 scale;
  __m512 minimum;
};
inline __m512 halves(const std::byte* at) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}
inline __m512 bytes_as_floats(const std::byte* at, bool with_sign) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  return _mm512_cvtepi32_ps(with_sign ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes));
}

// Scale and minimum of the columns from `column` of a chunk on, the value offset in the minimum.
template <WeightType kType>
inline Scale scale_of(const std::byte* chunk, size_t column) {
  constexpr WeightLayout kLayout = layout_of(kType);
  const size_t group = column / 32;
  __m512 scale, minimum = _mm512_setzero_ps();
  if constexpr (kType == WeightType::kQ4G128) {
    scale = _mm512_loadu_ps(chunk);
  } else if constexpr (kType == WeightType::kQ6K) {
    scale = _mm512_mul_ps(halves(chunk), bytes_as_floats(chunk + 64 + column / 16 * 16, true));
  } else if constexpr (kLayout.has_factors) {
    scale = _mm512_mul_ps(halves(chunk), bytes_as_floats(chunk + 64 + group * 16, false));
    minimum =
        _mm512_mul_ps(halves(chunk + 32), bytes_as_floats(chunk + 64 + 128 + group * 16, false));
    minimum = _mm512_sub_ps(_mm512_setzero_ps(), minimum);
  } else {
    scale = halves(chunk + group * 32);
    if constexpr (kLayout.has_minimum) minimum = halves(chunk + 64 + group * 32);
  }
  const __m512 offset = _mm512_set1_ps(static_cast<float>(kLayout.value_offset));
  return {scale, _mm512_fnmadd_ps(scale, offset, minimum)};
}

// Four columns in the bytes of 16 lanes become two rows of a tile.
inline void widen_bytes(__m512i bytes, const Scale& s, __m512i* tile_rows) {
  const __m512i mask = _mm512_set1_epi32(0xff);
  const auto column = [&](__m512i shifted) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_and_si512(shifted, mask)), s.scale, s.minimum);
  };
  const __m512 a = column(bytes), b = column(_mm512_srli_epi32(bytes, 8));
  const __m512 c = column(_mm512_srli_epi32(bytes, 16));
  const __m512 d =
      _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(bytes, 24)), s.scale, s.minimum);
  _mm512_store_si512(tile_rows, pair_bf16(a, b));
  _mm512_store_si512(tile_rows + 1, pair_bf16(c, d));
}

// 32 columns of 6 bits; the scales are of the first 16 and of the others.
inline void widen_six_bits(const std::byte* values, const Scale (&scales)[2], __m512i* tile) {
  const __m512i low = _mm512_set1_epi8(0x0f), pair = _mm512_set1_epi8(0x30);
  // 0xf8: the first, or the second and the third.
  const auto join = [&](__m512i nibbles, __m512i upper) {
    return _mm512_ternarylogic_epi32(_mm512_and_si512(nibbles, low), upper, pair, 0xf8);
  };
  for (size_t half = 0; half < 2; ++half, tile += 8) {
    const Scale& s = scales[half];
    const __m512i a = _mm512_loadu_si512(values + half * 128);
    const __m512i b = _mm512_loadu_si512(values + half * 128 + 64);
    const __m512i upper = _mm512_loadu_si512(values + 256 + half * 64);
    widen_bytes(join(a, _mm512_slli_epi16(upper, 4)), s, tile);
    widen_bytes(join(_mm512_srli_epi16(a, 4), _mm512_slli_epi16(upper, 2)), s, tile + 2);
    widen_bytes(join(b, upper), s, tile + 4);
    widen_bytes(join(_mm512_srli_epi16(b, 4), _mm512_srli_epi16(upper, 2)), s, tile + 6);
  }
}

// The tile of columns [column, column + 32) of a chunk.
template <WeightType kType>
inline void widen_tile(const std::byte* chunk, size_t column, __m512i* tile) {
  constexpr WeightLayout kLayout = layout_of(kType);
  const std::byte* values =
      chunk + kLayout.header_bytes + column * kBlockRows * kLayout.value_bits / 8;
  if constexpr (kType == WeightType::kF16) {
    for (size_t pair = 0; pair < 16; ++pair) {
      tile[pair] = pair_bf16(halves(values + pair * 64), halves(values + pair * 64 + 32));
    }
  } else if constexpr (kLayout.value_bits == 8) {
    const Scale s = scale_of<kType>(chunk, column);
    for (size_t v = 0; v < 8; ++v) {
      widen_bytes(_mm512_loadu_si512(values + v * 64), s, tile + v * 2);
    }
  } else if constexpr (kLayout.value_bits == 6) {
    const Scale first = scale_of<kType>(chunk, column);
    const Scale scales[2] = {first,
                             kLayout.group == 16 ? scale_of<kType>(chunk, column + 16) : first};
    widen_six_bits(values, scales, tile);
  } else {
    const Scale s = scale_of<kType>(chunk, column);
    const __m512i low = _mm512_set1_epi8(0x0f);
    for (size_t v = 0; v < 4; ++v) {
      const __m512i both = _mm512_loadu_si512(values + v * 64);
      widen_bytes(_mm512_and_si512(both, low), s, tile + v * 4);
      widen_bytes(_mm512_and_si512(_mm512_srli_epi16(both, 4), low), s, tile + v * 4 + 2);
    }
  }
}

// The tiles of a slice of a block that begins with a chunk, `step` bytes apart.
template <WeightType kType>
void widen_slice(const std::byte* chunk, size_t columns, std::byte* tiles, size_t step) {
  constexpr WeightLayout kLayout = layout_of(kType);
  for (size_t c = 0; c < columns; c += kLayout.chunk_columns, chunk += chunk_bytes(kLayout)) {
    const size_t held = columns - c < kLayout.chunk_columns ? columns - c : kLayout.chunk_columns;
    for (size_t column = 0; column < held; column += 32, tiles += step) {
      widen_tile<kType>(chunk, column, reinterpret_cast<__m512i*>(tiles));
    }
  }
}

using Widen = void (*)(const std::byte*, size_t, std::byte*, size_t);
constexpr Widen kWiden[kWeightTypeCount] = {
    nullptr,
    widen_slice<WeightType::kF16>,
    nullptr,
    widen_slice<WeightType::kQ8>,
    widen_slice<WeightType::kQ4>,
    widen_slice<WeightType::kQ4G128>,
    widen_slice<WeightType::kQ4Min>,
    widen_slice<WeightType::kQ8Min>,
    widen_slice<WeightType::kQ4K>,
    widen_slice<WeightType::kQ5K>,
    widen_slice<WeightType::kQ6K>,
    widen_slice<WeightType::kQ6>,
};

// Columns that are multiplied before the next: two blocks of weights as tiles stay in the
// first-level cache while all rows of inputs pass by. A slice: `tiles` tiles of inputs and of up to
// two blocks of weights, whose tile k lies at weights[j] + k * weight_step.
struct Slice {
  const std::byte* inputs;
  size_t input_step;  // between two tiles of rows
  const std::byte* weights[2];
  size_t weight_step;
  size_t tiles;
  bool first;  // of its columns: sums begin at zero, else at what `out` holds
  // Packed weights of the next slice, fetched to the second-level cache meanwhile.
  const std::byte* next[2];
  size_t next_bytes;
};

// The part of the next slice that falls to pair `m` of `pairs` pairs of row tiles.
inline void prefetch_next(const Slice& slice, size_t m, size_t pairs) {
  for (size_t at = slice.next_bytes * m / pairs / 64 * 64; at < slice.next_bytes * (m + 1) / pairs;
       at += 64) {
    asm volatile("prefetcht1 %0" ::"m"(slice.next[0][at]));
    asm volatile("prefetcht1 %0" ::"m"(slice.next[1][at]));
  }
}

// 32 rows of inputs by 32 of weights. Tiles 0..3 hold the sums, 4 and 5 inputs, 6 and 7 weights.
void multiply_two_by_two(const Slice& slice, float* out, size_t out_step) {
  const size_t stride = out_step * 4;
  if (slice.first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, out, stride);
    _tile_loadd(1, out + 16, stride);
    _tile_loadd(2, out + 16 * out_step, stride);
    _tile_loadd(3, out + 16 * out_step + 16, stride);
  }
  const std::byte* a = slice.inputs;
  for (size_t k = 0; k < slice.tiles; ++k, a += kTileBytes) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, slice.weights[0] + k * slice.weight_step, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, slice.weights[1] + k * slice.weight_step, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + slice.input_step, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, out, stride);
  _tile_stored(1, out + 16, stride);
  _tile_stored(2, out + 16 * out_step, stride);
  _tile_stored(3, out + 16 * out_step + 16, stride);
}

// 16 rows by the block j.
void multiply_one_by_one(const Slice& slice, size_t j, float* out, size_t out_step) {
  if (slice.first) {
    _tile_zero(0);
  } else {
    _tile_loadd(0, out, out_step * 4);
  }
  for (size_t k = 0; k < slice.tiles; ++k) {
    _tile_loadd(4, slice.inputs + k * kTileBytes, 64);
    _tile_loadd(6, slice.weights[j] + k * slice.weight_step, 64);
    _tile_dpbf16ps(0, 4, 6);
  }
  _tile_stored(0, out, out_step * 4);
}

// All rows of inputs by one slice of `blocks` blocks.
void multiply_slice(Slice slice, size_t row_tiles, size_t blocks, float* out, size_t out_step) {
  size_t m = 0;
  for (; blocks == 2 && m + 2 <= row_tiles; m += 2) {
    prefetch_next(slice, m / 2, row_tiles / 2);
    multiply_two_by_two(slice, out, out_step);
    slice.inputs += 2 * slice.input_step;
    out += 2 * kTileRows * out_step;
  }
  for (; m < row_tiles; ++m) {
    for (size_t j = 0; j < blocks; ++j) {
      multiply_one_by_one(slice, j, out + j * kBlockRows, out_step);
    }
    slice.inputs += slice.input_step;
    out += kTileRows * out_step;
  }
}

// The slice of blocks b and b + 1 from column `first` on, in packed form.
struct PackedSlice {
  const std::byte* chunks[2];
  size_t columns;
};
PackedSlice packed_slice(const ProductArgs& args, size_t first, size_t b) {
  const WeightLayout& layout = layout_of(args.type);
  const std::byte* chunk =
      args.blocks + b * args.block_bytes + first / layout.chunk_columns * chunk_bytes(layout);
  const bool last = b + 1 == args.block_count;
  return {{chunk, last ? chunk : chunk + args.block_bytes},
          args.columns - first < kSliceColumns ? args.columns - first : kSliceColumns};
}

void multiply(const ProductArgs& args) {
  static constexpr AmxTiles kTiles;
  _tile_loadconfig(&kTiles);
  const WeightLayout& layout = layout_of(args.type);
  const Widen widen = kWiden[static_cast<size_t>(args.type)];
  const size_t row_tiles = (args.inputs.rows + kTileRows - 1) / kTileRows;
  Slice slice;
  slice.input_step = kSliceTiles * kTileBytes;
  slice.weight_step = widen == nullptr ? kTileBytes : 2 * kTileBytes;
  for (size_t first = 0; first < args.columns; first += kSliceColumns) {
    slice.first = first == 0;
    slice.inputs = reinterpret_cast<const std::byte*>(args.inputs.tiles) +
                   first / kSliceColumns * row_tiles * slice.input_step;
    for (size_t b = 0; b < args.block_count; b += 2) {
      const PackedSlice packed = packed_slice(args, first, b);
      // The next of these blocks, then the first of the next columns, then of the next blocks.
      const bool more = b + 2 < args.block_count, wider = first + kSliceColumns < args.columns;
      const PackedSlice next = more    ? packed_slice(args, first, b + 2)
                               : wider ? packed_slice(args, first + kSliceColumns, 0)
                                       : packed_slice(args, 0, args.block_count);
      slice.tiles = packed.columns / kTileColumns;
      slice.next_bytes = kSliceColumns / layout.chunk_columns * chunk_bytes(layout);
      const size_t blocks = b + 2 <= args.block_count ? 2 : 1;
      for (size_t j = 0; j < blocks; ++j) {
        slice.next[j] = next.chunks[j];
        // bf16 weights lie in memory as tiles do.
        slice.weights[j] = widen == nullptr ? packed.chunks[j] : args.scratch + j * kTileBytes;
        if (widen != nullptr) {
          widen(packed.chunks[j], packed.columns, args.scratch + j * kTileBytes, 2 * kTileBytes);
        }
      }
      multiply_slice(slice, row_tiles, blocks, args.out + b * kBlockRows, args.out_step);
    }
  }
  _tile_release();
}

}  // namespace

ProductRow product_amx() {
  return {"linear_amx",
          {"amx-bf16", "avx512bw", "avx512f", "avx512vl"},
          [](WeightType) { return InputForm::kTiles; },
          1,
          [](WeightType type, Phase phase) {
            return phase == Phase::kPrefill && type != WeightType::kF32;
          },
          [](size_t) { return 2 * kSliceTiles * kTileBytes; },
          multiply};
}

}  // namespace edgewright::language
#pragma GCC pop_options

#else

namespace edgewright::language {

ProductRow product_amx() { return unavailable_product("linear_amx"); }

}  // namespace edgewright::language
#endif
