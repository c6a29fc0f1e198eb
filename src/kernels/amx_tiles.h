#pragma once

#include <cstdint>

namespace edgewright {

// What the tile unit of newer x86 servers (AMX) is set to before use: eight tiles of 16 rows of 64
// bytes. Load it from static storage: GCC 12 believes that only 8 bytes of it are read and leaves
// out the stores of a local one.
struct alignas(64) AmxTiles {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(AmxTiles) == 64);

}  // namespace edgewright
