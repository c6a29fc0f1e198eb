#pragma once

#include <vector>

#include "llm/kv_cache.h"

namespace edgewright {

// Keys and values of a sequence's first tokens in a form that does not depend on how pages are laid
// out: [layers][keys, values][tokens][kv heads * head size] float16, which is exact for caches of
// kF16.
std::vector<Half> copy_from_cache(const SequenceCache& cache, int layers, int tokens);
// Into an empty sequence; false, changing nothing, when its pages do not suffice. `numbers` must
// have the size that layers, tokens and the cache's shape give.
bool copy_to_cache(std::span<const Half> numbers, int layers, int tokens, SequenceCache& cache);

}  // namespace edgewright
