#include "kernels/bfloat16/bfloat16_tile.h"

#include <algorithm>

#include "base/cpu.h"
#include "kernels/amx_tiles.h"
#include "tensor/element.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace edgewright {

void pack_bfloat16(const Bfloat16Depth& depth, Bfloat16WeightAt at, const float* bias,
                   std::byte* out) {
  auto* const weights = reinterpret_cast<uint16_t*>(out);
  const size_t count = depth.panels() * depth.panel_size();
  std::fill(weights, weights + count, uint16_t{0});
  for (size_t c = 0; c < depth.columns; ++c) {
    uint16_t* const panel = weights + c / 16 * depth.panel_size() + c % 16 * 2;
    for (size_t block = 0; block < depth.blocks; ++block) {
      for (size_t i = 0; i < depth.k; ++i) {
        panel[block * depth.block_size() + i / 2 * 32 + i % 2] = Bfloat16(at(block, i, c)).bits;
      }
    }
  }
  auto* const biases = reinterpret_cast<float*>(weights + count);
  std::fill(biases, biases + depth.panels() * 16, 0.0f);
  if (bias != nullptr) std::copy(bias, bias + depth.columns, biases);
}

#if defined(__x86_64__)

namespace {

#define EDGEWRIGHT_AMX __attribute__((target("amx-tile,amx-bf16")))

// Tiles 0 to 3 are sums, 4 and 5 rows of A, 6 and 7 panels of W.

// The intrinsics want literal tile numbers, so that a macro spells out what a template cannot.
#define EDGEWRIGHT_AMX_LOOP(body)                                                       \
  const size_t chunks = (t.k + kBfloat16Chunk - 1) / kBfloat16Chunk;                    \
  const size_t a_bytes = static_cast<size_t>(t.a_step) * sizeof(uint16_t);              \
  for (size_t b = 0; b < t.blocks; ++b) {                                               \
    const uint16_t* a = t.a + t.offsets[b];                                             \
    const uint16_t* w = t.w + static_cast<ptrdiff_t>(b) * t.w_block;                    \
    for (size_t c = 0; c < chunks; ++c, a += kBfloat16Chunk, w += kBfloat16ChunkSize) { \
      body                                                                              \
    }                                                                                   \
  }

EDGEWRIGHT_AMX void sum_2x2(const Bfloat16Product& t, float* sums, size_t stride) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  EDGEWRIGHT_AMX_LOOP({
    _tile_loadd(6, w, 64);
    _tile_loadd(4, a, a_bytes);
    _tile_loadd(7, w + t.w_panel, 64);
    _tile_loadd(5, a + 16 * t.a_step, a_bytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  })
  _tile_stored(0, sums, stride);
  _tile_stored(1, sums + 16, stride);
  _tile_stored(2, sums + 16 * stride / 4, stride);
  _tile_stored(3, sums + 16 * stride / 4 + 16, stride);
}

EDGEWRIGHT_AMX void sum_1x2(const Bfloat16Product& t, float* sums, size_t stride) {
  _tile_zero(0);
  _tile_zero(1);
  EDGEWRIGHT_AMX_LOOP({
    _tile_loadd(4, a, a_bytes);
    _tile_loadd(6, w, 64);
    _tile_loadd(7, w + t.w_panel, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  })
  _tile_stored(0, sums, stride);
  _tile_stored(1, sums + 16, stride);
}

EDGEWRIGHT_AMX void sum_2x1(const Bfloat16Product& t, float* sums, size_t stride) {
  _tile_zero(0);
  _tile_zero(2);
  EDGEWRIGHT_AMX_LOOP({
    _tile_loadd(6, w, 64);
    _tile_loadd(4, a, a_bytes);
    _tile_loadd(5, a + 16 * t.a_step, a_bytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(2, 5, 6);
  })
  _tile_stored(0, sums, stride);
  _tile_stored(2, sums + 16 * stride / 4, stride);
}

EDGEWRIGHT_AMX void sum_1x1(const Bfloat16Product& t, float* sums, size_t stride) {
  _tile_zero(0);
  EDGEWRIGHT_AMX_LOOP({
    _tile_loadd(6, w, 64);
    _tile_loadd(4, a, a_bytes);
    _tile_dpbf16ps(0, 4, 6);
  })
  _tile_stored(0, sums, stride);
}

#undef EDGEWRIGHT_AMX_LOOP

__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) void round_vectors(
    const float* from, size_t count, uint16_t* to) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m256bh low = _mm512_cvtneps_pbh(_mm512_loadu_ps(from + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), reinterpret_cast<__m256i>(low));
  }
  for (; i < count; ++i) to[i] = Bfloat16(from[i]).bits;
}

}  // namespace

bool has_bfloat16_tiles() {
  static const bool available = missing_features({"amx-bf16", "avx512bf16"}).empty();
  return available;
}

EDGEWRIGHT_AMX void begin_bfloat16_tiles() {
  static constexpr AmxTiles kTiles;
  _tile_loadconfig(&kTiles);
}

EDGEWRIGHT_AMX void end_bfloat16_tiles() { _tile_release(); }

void bfloat16_sums(const Bfloat16Product& product, size_t rows, size_t panels, float* sums,
                   ptrdiff_t step) {
  const size_t stride = static_cast<size_t>(step) * sizeof(float);
  if (rows > 16) {
    return panels > 1 ? sum_2x2(product, sums, stride) : sum_2x1(product, sums, stride);
  }
  return panels > 1 ? sum_1x2(product, sums, stride) : sum_1x1(product, sums, stride);
}

void round_to_bfloat16(const float* from, size_t count, uint16_t* to) {
  round_vectors(from, count, to);
}

#undef EDGEWRIGHT_AMX

#else

bool has_bfloat16_tiles() { return false; }
void begin_bfloat16_tiles() {}
void end_bfloat16_tiles() {}
void bfloat16_sums(const Bfloat16Product&, size_t, size_t, float*, ptrdiff_t) {}
void round_to_bfloat16(const float*, size_t, uint16_t*) {}

#endif

}  // namespace edgewright
