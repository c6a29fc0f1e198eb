#include "verify/pareto.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edgewright {
namespace {

bool beats(const Costs& a, const Costs& b) {
  bool less = false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    less = less || a[i] < b[i];
  }
  return less;
}

}  // namespace

std::vector<size_t> pareto_front(std::span<const Costs> candidates) {
  std::vector<size_t> front;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const bool beaten = std::ranges::any_of(
        candidates, [&](const Costs& other) { return beats(other, candidates[i]); });
    if (!beaten) front.push_back(i);
  }
  std::ranges::stable_sort(front,
                           [&](size_t a, size_t b) { return candidates[a][0] < candidates[b][0]; });
  return front;
}

size_t knee_point(std::span<const Costs> candidates, std::span<const size_t> front) {
  size_t best = front.front();
  double nearest = std::numeric_limits<double>::infinity();
  for (const size_t index : front) {
    double distance = 0;
    for (size_t cost = 0; cost < candidates[index].size(); ++cost) {
      double low = std::numeric_limits<double>::infinity(), high = -low;
      for (const size_t other : front) {
        low = std::min(low, candidates[other][cost]);
        high = std::max(high, candidates[other][cost]);
      }
      if (high > low) {
        distance += std::pow((candidates[index][cost] - low) / (high - low), 2);
      }
    }
    if (distance < nearest) {
      nearest = distance;
      best = index;
    }
  }
  return best;
}

}  // namespace edgewright
