#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edgewright {

// Loops that do nothing but load one of the limits of a processor, for `device probe`. They move or
// compute exactly what they say, so that a time becomes a bandwidth or a rate.

// `count` is a multiple of 1024 everywhere. All go `passes` times over the same floats: in a cache
// that holds a few microseconds' worth, starting a loop would count.

// Loads floats in `streams` interleaved streams (1, 4 or 8) of equal length, and does nothing with
// them: additions beside would take the same part of the core. Gives the last one.
float probe_read(const float* from, size_t count, int streams, size_t passes);
// `around`: past the caches, where the processor has such stores.
void probe_write(float* to, size_t count, bool around, size_t passes);
void probe_copy(const float* from, float* to, size_t count, size_t passes);

// Arithmetic in registers only.
struct ProbeArithmetic {
  std::string_view type;            // "float32", "bfloat16", "int8"
  std::string_view unit;            // "avx3", "amx"
  double operations_per_round = 0;  // a multiply-add counts as two
  void (*run)(size_t rounds) = nullptr;
};
// What this processor has.
std::vector<ProbeArithmetic> probe_arithmetic();

// Rows of probe_arithmetic() beyond float32 vectors: dot products and tile units.
void add_dot_product_arithmetic(std::vector<ProbeArithmetic>& rows);

}  // namespace edgewright
