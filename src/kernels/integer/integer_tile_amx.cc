// Products of 8-bit integers on the tile unit of newer x86 servers (AMX): 16 rows by 16 columns by
// 64 values an instruction.
#include <algorithm>

#include "base/cpu.h"
#include "kernels/amx_tiles.h"
#include "kernels/integer/integer_tile.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace edgewright {

#if defined(__x86_64__)

namespace {

#define EDGEWRIGHT_AMX __attribute__((target("amx-tile,amx-int8")))

// Tiles 0 to 3 are sums, 4 and 5 rows of A, 6 and 7 panels of W.
EDGEWRIGHT_AMX void begin() {
  static constexpr AmxTiles kTiles;
  _tile_loadconfig(&kTiles);
}

EDGEWRIGHT_AMX void end() { _tile_release(); }

// The intrinsics want literal tile numbers, so that a macro spells out what a template cannot.
#define EDGEWRIGHT_AMX_LOOP(body)                                                      \
  for (size_t b = 0; b < t.blocks; ++b) {                                              \
    const uint8_t* a = t.a + t.offsets[b];                                             \
    const int8_t* w = t.w + static_cast<ptrdiff_t>(b) * t.w_block;                     \
    for (size_t c = 0; c < chunks; ++c, a += kIntegerChunk, w += kIntegerChunkBytes) { \
      body                                                                             \
    }                                                                                  \
  }

template <bool kSigned>
EDGEWRIGHT_AMX void sum_2x2(const IntegerProduct& t, int32_t* sums, size_t stride) {
  const size_t chunks = (t.k + kIntegerChunk - 1) / kIntegerChunk;
  const auto a_step = static_cast<size_t>(t.a_step);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  EDGEWRIGHT_AMX_LOOP({
    _tile_loadd(6, w, 64);
    _tile_loadd(4, a, a_step);
    _tile_loadd(7, w + t.w_panel, 64);
    _tile_loadd(5, a + 16 * t.a_step, a_step);
    if constexpr (kSigned) {
      _tile_dpbssd(0, 4, 6);
      _tile_dpbssd(1, 4, 7);
      _tile_dpbssd(2, 5, 6);
      _tile_dpbssd(3, 5, 7);
    } else {
      _tile_dpbusd(0, 4, 6);
      _tile_dpbusd(1, 4, 7);
      _tile_dpbusd(2, 5, 6);
      _tile_dpbusd(3, 5, 7);
    }
  })
  _tile_stored(0, sums, stride);
  _tile_stored(1, sums + 16, stride);
  _tile_stored(2, sums + 16 * stride / 4, stride);
  _tile_stored(3, sums + 16 * stride / 4 + 16, stride);
}

template <bool kSigned>
EDGEWRIGHT_AMX void sum_1x2(const IntegerProduct& t, int32_t* sums, size_t stride) {
  const size_t chunks = (t.k + kIntegerChunk - 1) / kIntegerChunk;
  const auto a_step = static_cast<size_t>(t.a_step);
  _tile_zero(0);
  _tile_zero(1);
  EDGEWRIGHT_AMX_LOOP({
    _tile_loadd(4, a, a_step);
    _tile_loadd(6, w, 64);
    _tile_loadd(7, w + t.w_panel, 64);
    if constexpr (kSigned) {
      _tile_dpbssd(0, 4, 6);
      _tile_dpbssd(1, 4, 7);
    } else {
      _tile_dpbusd(0, 4, 6);
      _tile_dpbusd(1, 4, 7);
    }
  })
  _tile_stored(0, sums, stride);
  _tile_stored(1, sums + 16, stride);
}

template <bool kSigned>
EDGEWRIGHT_AMX void sum_2x1(const IntegerProduct& t, int32_t* sums, size_t stride) {
  const size_t chunks = (t.k + kIntegerChunk - 1) / kIntegerChunk;
  const auto a_step = static_cast<size_t>(t.a_step);
  _tile_zero(0);
  _tile_zero(2);
  EDGEWRIGHT_AMX_LOOP({
    _tile_loadd(6, w, 64);
    _tile_loadd(4, a, a_step);
    _tile_loadd(5, a + 16 * t.a_step, a_step);
    if constexpr (kSigned) {
      _tile_dpbssd(0, 4, 6);
      _tile_dpbssd(2, 5, 6);
    } else {
      _tile_dpbusd(0, 4, 6);
      _tile_dpbusd(2, 5, 6);
    }
  })
  _tile_stored(0, sums, stride);
  _tile_stored(2, sums + 16 * stride / 4, stride);
}

template <bool kSigned>
EDGEWRIGHT_AMX void sum_1x1(const IntegerProduct& t, int32_t* sums, size_t stride) {
  const size_t chunks = (t.k + kIntegerChunk - 1) / kIntegerChunk;
  const auto a_step = static_cast<size_t>(t.a_step);
  _tile_zero(0);
  EDGEWRIGHT_AMX_LOOP({
    _tile_loadd(6, w, 64);
    _tile_loadd(4, a, a_step);
    if constexpr (kSigned) {
      _tile_dpbssd(0, 4, 6);
    } else {
      _tile_dpbusd(0, 4, 6);
    }
  })
  _tile_stored(0, sums, stride);
}

template <bool kSigned>
void run_signed(const IntegerProduct& t, size_t rows, size_t panels, int32_t* sums, size_t stride) {
  if (rows > 16) {
    return panels > 1 ? sum_2x2<kSigned>(t, sums, stride) : sum_2x1<kSigned>(t, sums, stride);
  }
  return panels > 1 ? sum_1x2<kSigned>(t, sums, stride) : sum_1x1<kSigned>(t, sums, stride);
}

void run(const IntegerProduct& t, size_t rows, size_t panels, int32_t* sums, ptrdiff_t step) {
  const size_t stride = static_cast<size_t>(step) * sizeof(int32_t);
  t.a_is_signed ? run_signed<true>(t, rows, panels, sums, stride)
                : run_signed<false>(t, rows, panels, sums, stride);
}

}  // namespace

const IntegerCore* amx_integer_core() {
  static const bool available = missing_features({"amx-int8"}).empty();
  static const IntegerCore core = {2, {0, 32, 32}, run, false, begin, end};
  return available ? &core : nullptr;
}

#else

const IntegerCore* amx_integer_core() { return nullptr; }

#endif

}  // namespace edgewright
