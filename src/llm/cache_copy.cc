#include "llm/cache_copy.h"

namespace edgewright {
namespace {

// Of one layer, token and kind.
size_t width_of(const SequenceCache& cache) {
  return cache.shape().heads * cache.shape().head_size;
}

language::CacheView view_of(const SequenceCache& cache, int layer) {
  return {cache.pages().data(), cache.layer_offset(layer)};
}

}  // namespace

std::vector<Half> copy_from_cache(const SequenceCache& cache, int layers, int tokens) {
  EDGEWRIGHT_CHECK(cache.begin() == 0 && tokens <= cache.length());
  const size_t width = width_of(cache), plane = static_cast<size_t>(tokens) * width;
  std::vector<Half> numbers(2 * static_cast<size_t>(layers) * plane);
  std::vector<float> key(cache.shape().head_size), value(cache.shape().head_size);
  for (int layer = 0; layer < layers; ++layer) {
    Half* keys = &numbers[2 * static_cast<size_t>(layer) * plane];
    for (size_t token = 0; token < static_cast<size_t>(tokens); ++token) {
      for (size_t head = 0; head < cache.shape().heads; ++head) {
        language::cache_read(cache.shape(), view_of(cache, layer), token, head, key.data(),
                             value.data());
        const size_t place = token * width + head * key.size();
        for (size_t i = 0; i < key.size(); ++i) {
          keys[place + i] = Half(key[i]);
          keys[plane + place + i] = Half(value[i]);
        }
      }
    }
  }
  return numbers;
}

bool copy_to_cache(std::span<const Half> numbers, int layers, int tokens, SequenceCache& cache) {
  EDGEWRIGHT_CHECK(cache.length() == 0);
  const size_t width = width_of(cache), plane = static_cast<size_t>(tokens) * width;
  EDGEWRIGHT_CHECK(numbers.size() == 2 * static_cast<size_t>(layers) * plane);
  if (!cache.reserve(tokens)) return false;
  std::vector<float> keys(plane), values(plane);
  for (int layer = 0; layer < layers; ++layer) {
    const auto both = numbers.subspan(2 * static_cast<size_t>(layer) * plane, 2 * plane);
    for (size_t i = 0; i < plane; ++i) {
      keys[i] = static_cast<float>(both[i]);
      values[i] = static_cast<float>(both[plane + i]);
    }
    language::cache_append(cache.shape(), view_of(cache, layer), 0, static_cast<size_t>(tokens),
                           keys.data(), values.data(), width);
  }
  cache.set_length(tokens);
  return true;
}

}  // namespace edgewright
