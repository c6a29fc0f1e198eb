#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "profile/operator_cost.h"

namespace edgewright {

// How an operation walks over memory.
struct AccessPattern {
  std::string_view name;  // "unit-stride", "strided", "random", "streaming", "none"
  double locality = 1;    // share of the bytes of touched cache lines that are used
};
// `largest_private_bytes`: what one core keeps for itself; larger single passes stream.
AccessPattern access_pattern(const Operation& operation, const Work& work,
                             int64_t largest_private_bytes);

// What one step asks of every level: bytes that the levels before it could not give.
struct StepTraffic {
  std::vector<int64_t> level_bytes;  // per capacity, and one entry more: what no level held
  // 10th, 50th and 90th percentile over the bytes it touches of the distinct bytes touched since
  // the last use; -1: never used before.
  std::vector<int64_t> reuse_distance_bytes;
};

// The plan's accesses in the order of its steps, at the addresses of its memory plan, through fully
// associative caches of the given capacities that drop what was used least recently (Mattson et
// al. 1970: a block is in a cache exactly when its reuse distance is below the capacity). The
// figures are of the second of two runs, as in steady use. Matrix products and convolutions read
// their input once for each group of output columns that their registers hold.
std::vector<StepTraffic> cache_traffic(const Plan& plan, const std::vector<int64_t>& capacities);

}  // namespace edgewright
