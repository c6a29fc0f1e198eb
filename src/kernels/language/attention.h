#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/thread_pool.h"

namespace edgewright::language {

enum class CacheType : uint8_t {
  kF16,
  kInt8,  // a scale per token, key-value head and side: largest magnitude / 127
  kF32,   // keys and values as they come, for checks of exactness
};

// Tokens whose keys lie interleaved in a page.
inline constexpr size_t kKeyTile = 16;

// Keys and values of one layer in pages of a fixed number of tokens. Page: for each head its keys
// (tiles of 16 tokens, each [head size][16]) and then its values ([tokens][head size]), for kInt8
// followed by key scales and value scales ([tokens] floats each).
struct CacheShape {
  CacheType type = CacheType::kF16;
  size_t heads = 0;        // key-value heads
  size_t head_size = 0;    // a multiple of 16
  size_t page_tokens = 0;  // a multiple of 16; quicker if of 64
};
size_t cache_page_bytes(const CacheShape& shape);  // of one layer, a multiple of 64

// The cache of one sequence and layer: token t is at place t % page_tokens of
// pages[t / page_tokens] + layer_offset. Pages that no query looks at may be null.
struct CacheView {
  std::byte* const* pages = nullptr;  // 64-byte aligned
  size_t layer_offset = 0;
};

// Writes keys and values of `rows` tokens, [rows][heads * head_size], `step` floats apart, at cache
// places first .. first + rows.
void cache_append(const CacheShape& shape, const CacheView& cache, size_t first, size_t rows,
                  const float* keys, const float* values, size_t step);

// Queries of one sequence: row i stands at cache place first + i and looks at the places
// [begin, first + i], of those at the last `window` of them where a window is set.
struct AttentionQueries {
  CacheView cache;
  const float* queries = nullptr;  // [rows][query_heads * head_size], `query_step` floats apart
  size_t query_step = 0;
  float* output = nullptr;  // the same shape
  size_t output_step = 0;
  size_t rows = 1;
  size_t first = 0;
  size_t begin = 0;
};

struct AttentionShape {
  CacheShape cache;
  size_t query_heads = 0;  // a multiple of cache.heads: grouped
  float scale = 0;         // of the scores, 1 / sqrt(head_size) for most models
  float soft_cap = 0;      // scores become cap * tanh(score / cap); 0: none
  size_t window = 0;       // 0: unlimited
};

// softmax(scale * Q K^T) V for every sequence, in blocks of keys with a running maximum: scores are
// never stored whole. A row's result does not depend on the other rows or sequences in the call.
size_t attention_workspace_bytes(const AttentionShape& shape, int threads);
void attention(const AttentionShape& shape, std::span<const AttentionQueries> sequences,
               std::span<std::byte> workspace, ThreadPool& pool);
// The specification: plain loops in double over what the cache holds.
void attention_reference(const AttentionShape& shape, std::span<const AttentionQueries> sequences);
// Key and value of one cache place as they are stored, head_size floats each.
void cache_read(const CacheShape& shape, const CacheView& cache, size_t token, size_t head,
                float* key, float* value);

}  // namespace edgewright::language
