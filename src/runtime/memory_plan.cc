#include "runtime/memory_plan.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "tensor/tensor.h"

namespace edgewright {
namespace {

using Order = std::vector<uint32_t>;

// Orders beyond the fixed ones are drawn until the arena is as small as the live set, this often.
constexpr int kDraws = 300;
// Drawing is for small problems only: every draw costs (blocks x neighbours).
constexpr size_t kMaxDrawnBlocks = 2000;

size_t rounded(size_t size_bytes) {
  return (size_bytes + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

bool meet(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

size_t live_set(std::span<const Lifetime> blocks) {
  int32_t steps = 0;
  for (const Lifetime& block : blocks) steps = std::max(steps, block.last + 1);
  std::vector<size_t> begins(static_cast<size_t>(steps) + 1), ends(static_cast<size_t>(steps) + 1);
  for (const Lifetime& block : blocks) {
    begins[static_cast<size_t>(block.first)] += rounded(block.size_bytes);
    ends[static_cast<size_t>(block.last) + 1] += rounded(block.size_bytes);
  }
  size_t most = 0, now = 0;
  for (size_t i = 0; i < begins.size(); ++i) {
    now += begins[i];
    now -= ends[i];
    most = std::max(most, now);
  }
  return most;
}

// Places blocks one after the other, each into the smallest gap between the placed blocks that it
// meets in time. `neighbours` holds, per block, the blocks that it meets.
MemoryPlan place(std::span<const Lifetime> blocks, const Order& order,
                 const std::vector<Order>& neighbours) {
  constexpr size_t kUnplaced = SIZE_MAX;
  MemoryPlan plan;
  plan.offsets.assign(blocks.size(), kUnplaced);
  std::vector<std::pair<size_t, size_t>> taken;
  for (const uint32_t index : order) {
    const size_t size = rounded(blocks[index].size_bytes);
    taken.clear();
    for (const uint32_t other : neighbours[index]) {
      if (plan.offsets[other] == kUnplaced) continue;
      taken.emplace_back(plan.offsets[other],
                         plan.offsets[other] + rounded(blocks[other].size_bytes));
    }
    std::ranges::sort(taken);
    size_t best = kUnplaced, best_gap = SIZE_MAX, end = 0;
    for (const auto& [from, to] : taken) {
      if (from >= end + size && from - end < best_gap) {
        best = end;
        best_gap = from - end;
      }
      end = std::max(end, to);
    }
    plan.offsets[index] = best == kUnplaced ? end : best;
    plan.arena_bytes = std::max(plan.arena_bytes, plan.offsets[index] + size);
  }
  return plan;
}

template <class Key>
Order sorted_by(std::span<const Lifetime> blocks, Key key) {
  Order order(blocks.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order,
                           [&](uint32_t a, uint32_t b) { return key(blocks[a]) > key(blocks[b]); });
  return order;
}

std::vector<Order> neighbours_of(std::span<const Lifetime> blocks) {
  std::vector<Order> neighbours(blocks.size());
  const Order by_start = sorted_by(blocks, [](const Lifetime& b) { return -b.first; });
  Order active;
  for (const uint32_t index : by_start) {
    std::erase_if(active, [&](uint32_t other) { return !meet(blocks[other], blocks[index]); });
    for (const uint32_t other : active) {
      neighbours[other].push_back(index);
      neighbours[index].push_back(other);
    }
    active.push_back(index);
  }
  return neighbours;
}

// The largest blocks first, with some disorder among those of similar sizes.
Order shuffled_by_size(std::span<const Lifetime> blocks, std::minstd_rand& random) {
  std::vector<double> weights;
  for (const Lifetime& block : blocks) {
    const double noise = static_cast<double>(random() % 1024) / 1024;
    weights.push_back(static_cast<double>(block.size_bytes) * (0.5 + noise));
  }
  Order order(blocks.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return weights[a] > weights[b]; });
  return order;
}

// The order with one block moved towards the front; `topmost`: one that ends the arena.
Order moved_forward(std::span<const Lifetime> blocks, const MemoryPlan& plan, Order order,
                    bool topmost, std::minstd_rand& random) {
  size_t from = random() % order.size();
  for (size_t i = 0; topmost && i < order.size(); ++i) {
    const size_t end = plan.offsets[order[i]] + rounded(blocks[order[i]].size_bytes);
    if (end == plan.arena_bytes) from = i;
  }
  const size_t to = random() % (from + 1);
  const auto begin = order.begin();
  std::rotate(begin + static_cast<std::ptrdiff_t>(to), begin + static_cast<std::ptrdiff_t>(from),
              begin + static_cast<std::ptrdiff_t>(from) + 1);
  return order;
}

}  // namespace

MemoryPlan plan_memory(std::span<const Lifetime> blocks) {
  const size_t bound = live_set(blocks);
  const auto neighbours = neighbours_of(blocks);
  const auto length = [](const Lifetime& b) { return static_cast<size_t>(b.last - b.first + 1); };
  const Order orders[] = {
      sorted_by(blocks, [](const Lifetime& b) { return b.size_bytes; }),
      sorted_by(blocks, [&](const Lifetime& b) { return b.size_bytes * length(b); }),
      sorted_by(blocks, [](const Lifetime& b) { return -b.first; }),
      sorted_by(blocks, [&](const Lifetime& b) { return length(b); }),
  };
  MemoryPlan best;
  Order best_order;
  const auto attempt = [&](const Order& order) {
    MemoryPlan plan = place(blocks, order, neighbours);
    // One that is as good is taken too: from there a better one may be a step away.
    if (best_order.empty() || plan.arena_bytes <= best.arena_bytes) {
      best = std::move(plan);
      best_order = order;
    }
  };
  for (const Order& order : orders) attempt(order);
  std::minstd_rand random(1);
  for (int draw = 0; draw < kDraws && best.arena_bytes > bound && blocks.size() <= kMaxDrawnBlocks;
       ++draw) {
    attempt(draw % 3 == 0 ? shuffled_by_size(blocks, random)
                          : moved_forward(blocks, best, best_order, draw % 3 == 1, random));
  }
  best.live_set_bytes = bound;
  return best;
}

}  // namespace edgewright
