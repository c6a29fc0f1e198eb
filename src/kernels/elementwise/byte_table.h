#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/implementation.h"

namespace edgewright {

// to[i] = table[from[i]]; a table has 256 entries. `to` may be `from`.
void map_bytes(const uint8_t* table, const uint8_t* from, uint8_t* to, size_t count);

// edgewright::Elementwise of one input of bytes to bytes, whatever it computes.
KernelImplementation elementwise_byte_table();

}  // namespace edgewright
