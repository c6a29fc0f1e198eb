#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/language/attention.h"

// Places inside a page, in bytes; see CacheShape.
namespace edgewright::language {

inline size_t cache_value_bytes(const CacheShape& shape) {
  return shape.type == CacheType::kF32 ? 4 : shape.type == CacheType::kF16 ? 2 : 1;
}
inline size_t cache_side_bytes(const CacheShape& shape) {
  return shape.page_tokens * shape.head_size * cache_value_bytes(shape);
}
inline size_t cache_head_bytes(const CacheShape& shape) {
  const size_t scales = shape.type == CacheType::kInt8 ? 2 * shape.page_tokens * sizeof(float) : 0;
  return 2 * cache_side_bytes(shape) + scales;
}

// One head of a page.
struct HeadPage {
  std::byte* keys;
  std::byte* values;
  float* key_scales;  // kInt8 only
  float* value_scales;
};
inline HeadPage head_page(const CacheShape& shape, const CacheView& cache, size_t page,
                          size_t head) {
  std::byte* keys = cache.pages[page] + cache.layer_offset + head * cache_head_bytes(shape);
  std::byte* values = keys + cache_side_bytes(shape);
  auto* scales = reinterpret_cast<float*>(values + cache_side_bytes(shape));
  return {keys, values, scales, scales + shape.page_tokens};
}

// Place of dimension 0 of a token's key among the keys of a page, in values; the next dimension is
// kKeyTile values on.
inline size_t key_place(const CacheShape& shape, size_t token) {
  return token / kKeyTile * kKeyTile * shape.head_size + token % kKeyTile;
}

}  // namespace edgewright::language
