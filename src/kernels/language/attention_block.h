#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/language/attention.h"
#include "kernels/language/cache_layout.h"

namespace edgewright::language {

// Keys between two updates of the running maxima. Blocks begin at multiples of it, so that a
// query meets the same blocks whatever other queries are worked on beside it.
inline constexpr size_t kKeyBlock = 64;
// Lines (a query of one head each) that are worked on together.
inline constexpr size_t kAttentionLines = 16;

// Lines of one key-value head and their state between blocks of keys.
struct AttentionBlock {
  size_t lines = 0;
  size_t head_size = 0;
  float soft_cap = 0;
  const float* queries = nullptr;  // [line][head_size], scaled
  size_t begins[kAttentionLines];  // tokens [begin, end) that a line looks at
  size_t ends[kAttentionLines];
  float* maxima = nullptr;  // [line]
  float* totals = nullptr;  // [line], of the weights
  float* sums = nullptr;    // [line][head_size], of the weighted values
  float* scores = nullptr;  // [line][kKeyBlock]
};

// Adds the tokens [first_token, first_token + tokens), which lie in one page.
void attend_to_block(CacheType type, const AttentionBlock& block, const HeadPage& page,
                     size_t first_token, size_t first_in_page, size_t tokens);
// fp16 bits, `stride` values apart; `count` is a multiple of 16.
void float_to_half(const float* x, size_t count, uint16_t* out, size_t stride);

}  // namespace edgewright::language
