#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace edgewright {

// A block of memory that is needed from step `first` to step `last`, both included.
struct Lifetime {
  size_t size_bytes = 0;
  int32_t first = 0;
  int32_t last = 0;
};

struct MemoryPlan {
  std::vector<size_t> offsets;  // per block, multiples of kTensorAlignment
  size_t arena_bytes = 0;
  size_t live_set_bytes = 0;  // see live_set_bytes()
};

// The most bytes alive at one step, sizes rounded up to the alignment.
size_t live_set_bytes(std::span<const Lifetime> blocks);

// Gives every block a place in one arena so that blocks alive at the same step do not overlap.
// Several greedy orders are tried and the smallest arena is kept; the result is the same for the
// same input.
MemoryPlan plan_memory(std::span<const Lifetime> blocks);

}  // namespace edgewright
