#include <algorithm>
#include <cmath>

#include "kernels/language/attention.h"
#include "kernels/language/attention_block.h"
#include "kernels/language/cache_layout.h"
#include "tensor/half.h"

namespace edgewright::language {
namespace {

// Writes `count` values of one token and head, `stride` values apart, and returns their scale.
float store_row(CacheType type, const float* x, size_t count, std::byte* at, size_t stride) {
  if (type == CacheType::kF16) {
    auto* halves = reinterpret_cast<uint16_t*>(at);
    float_to_half(x, count, halves, stride);
    return 1;
  }
  if (type == CacheType::kF32) {
    auto* floats = reinterpret_cast<float*>(at);
    for (size_t i = 0; i < count; ++i) floats[i * stride] = x[i];
    return 1;
  }
  float largest = 0;
  for (size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(x[i]));
  const float inverse = largest == 0 ? 0 : 127 / largest;
  auto* integers = reinterpret_cast<int8_t*>(at);
  for (size_t i = 0; i < count; ++i) {
    integers[i * stride] = static_cast<int8_t>(std::lrint(x[i] * inverse));
  }
  return largest / 127;
}

float load_value(CacheType type, const std::byte* at, size_t place, float scale) {
  if (type == CacheType::kF16) return Half::to_float(reinterpret_cast<const uint16_t*>(at)[place]);
  if (type == CacheType::kF32) return reinterpret_cast<const float*>(at)[place];
  return scale * static_cast<float>(reinterpret_cast<const int8_t*>(at)[place]);
}

}  // namespace

size_t cache_page_bytes(const CacheShape& shape) {
  return (shape.heads * cache_head_bytes(shape) + 63) / 64 * 64;
}

void cache_append(const CacheShape& shape, const CacheView& cache, size_t first, size_t rows,
                  const float* keys, const float* values, size_t step) {
  const size_t size = shape.head_size, bytes = cache_value_bytes(shape);
  for (size_t i = 0; i < rows; ++i, keys += step, values += step) {
    const size_t token = (first + i) % shape.page_tokens;
    for (size_t head = 0; head < shape.heads; ++head) {
      const HeadPage page = head_page(shape, cache, (first + i) / shape.page_tokens, head);
      const float key_scale = store_row(shape.type, keys + head * size, size,
                                        page.keys + key_place(shape, token) * bytes, kKeyTile);
      const float value_scale =
          store_row(shape.type, values + head * size, size, page.values + token * size * bytes, 1);
      if (shape.type != CacheType::kInt8) continue;
      page.key_scales[token] = key_scale;
      page.value_scales[token] = value_scale;
    }
  }
}

void cache_read(const CacheShape& shape, const CacheView& cache, size_t token, size_t head,
                float* key, float* value) {
  const HeadPage page = head_page(shape, cache, token / shape.page_tokens, head);
  const size_t t = token % shape.page_tokens;
  const bool scaled = shape.type == CacheType::kInt8;
  for (size_t i = 0; i < shape.head_size; ++i) {
    key[i] = load_value(shape.type, page.keys, key_place(shape, t) + i * kKeyTile,
                        scaled ? page.key_scales[t] : 1);
    value[i] = load_value(shape.type, page.values, t * shape.head_size + i,
                          scaled ? page.value_scales[t] : 1);
  }
}

}  // namespace edgewright::language
