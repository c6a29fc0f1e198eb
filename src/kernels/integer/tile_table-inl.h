// The core of a target from its tiles. Tiles names them: kPanels, the most panels of a tile; kRows,
// the most rows by panels; run<rows, panels>(product, sums, step).
#if defined(EDGEWRIGHT_KERNELS_INTEGER_TILE_TABLE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDGEWRIGHT_KERNELS_INTEGER_TILE_TABLE_INL_H_
#undef EDGEWRIGHT_KERNELS_INTEGER_TILE_TABLE_INL_H_
#else
#define EDGEWRIGHT_KERNELS_INTEGER_TILE_TABLE_INL_H_
#endif

#include "kernels/integer/integer_tile.h"

HWY_BEFORE_NAMESPACE();
namespace edgewright {
namespace HWY_NAMESPACE {

template <class Tiles>
struct TileTable {
  using Function = void (*)(const IntegerProduct&, int32_t*, ptrdiff_t);
  Function of[Tiles::kPanels + 1][16] = {};

  TileTable() { fill_panels<static_cast<int>(Tiles::kPanels)>(); }

  static void run(const IntegerProduct& product, size_t rows, size_t panels, int32_t* sums,
                  ptrdiff_t step) {
    static const TileTable table;
    table.of[panels][rows](product, sums, step);
  }

 private:
  template <int kTilePanels, int kTileRows>
  void fill_rows() {
    if constexpr (kTileRows > 0) {
      of[kTilePanels][kTileRows] = Tiles::template run<kTileRows, kTilePanels>;
      fill_rows<kTilePanels, kTileRows - 1>();
    }
  }
  template <int kTilePanels>
  void fill_panels() {
    if constexpr (kTilePanels > 0) {
      fill_rows<kTilePanels, static_cast<int>(Tiles::kRows[kTilePanels])>();
      fill_panels<kTilePanels - 1>();
    }
  }
};

template <class Tiles>
const IntegerCore* core_of_tiles() {
  static const IntegerCore core = [] {
    IntegerCore made;
    made.max_panels = Tiles::kPanels;
    for (size_t panels = 1; panels <= Tiles::kPanels; ++panels) {
      made.max_rows[panels] = Tiles::kRows[panels];
    }
    made.run = TileTable<Tiles>::run;
    return made;
  }();
  return &core;
}

}  // namespace HWY_NAMESPACE
}  // namespace edgewright
HWY_AFTER_NAMESPACE();

#endif
