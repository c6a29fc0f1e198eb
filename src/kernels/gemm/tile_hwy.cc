#include "kernels/gemm/tile.h"

#include "kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gemm/tile_hwy.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/clamp-inl.h"
#include "kernels/partial-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(D()));
constexpr int kVectors = 16 / kLanes;  // vectors a panel

// Accumulators that fit the register file beside the vectors of B and one value of A: 32 registers
// with AVX-512 and NEON, 16 with AVX2 and SSE4.
#if HWY_TARGET == HWY_AVX3
constexpr int kMaxPanels = 4;
constexpr int kRows[] = {0, 14, 14, 8, 6};
#elif HWY_ARCH_ARM
constexpr int kMaxPanels = 1;
constexpr int kRows[] = {0, 6};
#elif HWY_TARGET == HWY_AVX2
constexpr int kMaxPanels = 1;
constexpr int kRows[] = {0, 6};
#elif HWY_TARGET == HWY_SSE4
constexpr int kMaxPanels = 1;
constexpr int kRows[] = {0, 3};
#else
constexpr int kMaxPanels = 1;
constexpr int kRows[] = {0, 1};
#endif

template <int kTileRows, int kTilePanels>
struct Accumulators {
  // Written out, so that it is compiled for the same instruction set as the vectors it makes.
  HWY_ATTR Accumulators() {}
  V v[kTileRows][kTilePanels * kVectors];
};

// Loads and stores of vector `v` of a tile row whose last panel may be cut short.
template <bool kWhole>
HWY_INLINE V load_columns(D d, const float* from, int valid) {
  if constexpr (kWhole) return hn::LoadU(d, from);
  if (valid <= 0) return hn::Zero(d);
  return load_first(d, from, static_cast<size_t>(valid));
}
template <bool kWhole>
HWY_INLINE void store_columns(D d, V value, float* to, int valid) {
  if constexpr (kWhole) {
    hn::StoreU(value, d, to);
  } else if (valid > 0) {
    store_first(value, d, to, static_cast<size_t>(valid));
  }
}

template <bool kWhole, int kTileRows, int kTilePanels>
HWY_INLINE void finish(const TileArgs& t, Accumulators<kTileRows, kTilePanels>& acc) {
  const D d;
  const V low = hn::Set(d, t.low), high = hn::Set(d, t.high), scale = hn::Set(d, t.scale);
#pragma GCC unroll 16
  for (int j = 0; j < kTilePanels * kVectors; ++j) {
    const int panel = j / kVectors, column = j % kVectors * kLanes;
    const int valid = panel == kTilePanels - 1 ? t.columns - column : kLanes;
    const ptrdiff_t start = panel * t.c_panel + column;
    const V bias = t.bias ? hn::LoadU(d, t.bias + panel * 16 + column) : hn::Zero(d);
#pragma GCC unroll 16
    for (int m = 0; m < kTileRows; ++m) {
      const ptrdiff_t at = start + m * t.c_step;
      V value = hn::MulAdd(acc.v[m][j], scale, bias);
      if (t.residual && t.residual_first) {
        value = hn::Add(value, load_columns<kWhole>(d, t.residual + at, valid));
      }
      value = clamped(low, high, value);
      if (t.residual && !t.residual_first) {
        value = hn::Add(value, load_columns<kWhole>(d, t.residual + at, valid));
      }
      store_columns<kWhole>(d, value, t.c + at, valid);
    }
  }
}

template <int kTileRows, int kTilePanels>
HWY_NOINLINE void tile(const TileArgs& t) {
  const D d;
  Accumulators<kTileRows, kTilePanels> acc;
#pragma GCC unroll 16
  for (int m = 0; m < kTileRows; ++m) {
#pragma GCC unroll 16
    for (int j = 0; j < kTilePanels * kVectors; ++j) acc.v[m][j] = hn::Zero(d);
  }
  const float* w = t.w;
  const ptrdiff_t step = t.a_step;
  const ptrdiff_t panel = t.w_panel;
  const size_t whole = t.blocks - t.tail_blocks;
  for (size_t b = 0; b < t.blocks; ++b) {
    const float* a = t.a + t.offsets[b];
    const float* const end = a + (b < whole ? t.klen : t.tail_klen);
    for (; a != end; ++a, w += 16) {
      V weights[kTilePanels * kVectors];
#pragma GCC unroll 16
      for (int j = 0; j < kTilePanels * kVectors; ++j) {
        weights[j] = hn::LoadU(d, w + j / kVectors * panel + j % kVectors * kLanes);
      }
#pragma GCC unroll 16
      for (int m = 0; m < kTileRows; ++m) {
        const V value = hn::Set(d, a[m * step]);
#pragma GCC unroll 16
        for (int j = 0; j < kTilePanels * kVectors; ++j) {
          acc.v[m][j] = hn::MulAdd(value, weights[j], acc.v[m][j]);
        }
      }
    }
  }
  if (t.columns == 16) {
    finish<true>(t, acc);
  } else {
    finish<false>(t, acc);
  }
}

template <int kTilePanels, int kTileRows>
void fill_rows(TileKernels& kernels) {
  if constexpr (kTileRows > 0) {
    kernels.function[kTilePanels][kTileRows] = tile<kTileRows, kTilePanels>;
    fill_rows<kTilePanels, kTileRows - 1>(kernels);
  }
}
template <int kTilePanels>
void fill_panels(TileKernels& kernels) {
  if constexpr (kTilePanels > 0) {
    kernels.max_rows[kTilePanels] = kRows[kTilePanels];
    fill_rows<kTilePanels, kRows[kTilePanels]>(kernels);
    fill_panels<kTilePanels - 1>(kernels);
  }
}

const TileKernels* kernels_of_target() {
  static const TileKernels kernels = [] {
    TileKernels made;
    made.max_panels = kMaxPanels;
    fill_panels<kMaxPanels>(made);
    return made;
  }();
  return &kernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgewright {
namespace {

HWY_EXPORT(kernels_of_target);

size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

}  // namespace

const TileKernels& tile_kernels() { return *HWY_DYNAMIC_DISPATCH(kernels_of_target)(); }

void run_tiles(TileArgs args, const Epilogue& epilogue, size_t rows, size_t panels) {
  const TileKernels& kernels = tile_kernels();
  args.low = epilogue.low();
  args.high = epilogue.high();
  args.residual_first = epilogue.residual_before_activation;
  const bool clamp = epilogue.is_clamp();
  const float* const late_residual =
      clamp || epilogue.residual_before_activation ? nullptr : args.residual;
  if (late_residual) args.residual = nullptr;
  const int last_columns = args.columns;
  const size_t groups = divide_up(panels, static_cast<size_t>(kernels.max_panels));
  size_t panel = 0;
  for (size_t group = 0; group < groups; ++group) {
    const size_t wide = divide_up(panels - panel, groups - group);
    const bool last = panel + wide == panels;
    const ptrdiff_t c_offset = static_cast<ptrdiff_t>(panel) * args.c_panel;
    TileArgs tile = args;
    tile.w += static_cast<ptrdiff_t>(panel) * args.w_panel;
    if (tile.bias) tile.bias += panel * 16;
    tile.columns = last ? last_columns : 16;
    const size_t cuts = divide_up(rows, static_cast<size_t>(kernels.max_rows[wide]));
    size_t row = 0;
    for (size_t cut = 0; cut < cuts; ++cut) {
      const size_t tall = divide_up(rows - row, cuts - cut);
      const ptrdiff_t at = c_offset + static_cast<ptrdiff_t>(row) * args.c_step;
      tile.a = args.a + static_cast<ptrdiff_t>(row) * args.a_step;
      tile.c = args.c + at;
      if (args.residual) tile.residual = args.residual + at;
      kernels.function[wide][tall](tile);
      if (!clamp) {
        for (size_t p = 0; p < wide; ++p) {
          const ptrdiff_t there = static_cast<ptrdiff_t>(p) * args.c_panel;
          const size_t columns = p + 1 == wide ? static_cast<size_t>(tile.columns) : size_t{16};
          apply_activation(epilogue, tile.c + there,
                           late_residual ? late_residual + at + there : nullptr, tall, columns,
                           args.c_step);
        }
      }
      row += tall;
    }
    panel += wide;
  }
}

}  // namespace edgewright
#endif
