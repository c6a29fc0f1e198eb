#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace edgewright {

// A candidate by its costs, all better when smaller.
using Costs = std::vector<double>;

// Indices of the candidates that no other beats: none is at most as costly in every respect and
// less in one. Ascending by the first cost.
std::vector<size_t> pareto_front(std::span<const Costs> candidates);

// The point of a front at which giving up more of one cost stops paying: the one nearest to the
// ideal corner after each cost was scaled to 0..1 over the front. Of one or two points, the first.
size_t knee_point(std::span<const Costs> candidates, std::span<const size_t> front);

}  // namespace edgewright
