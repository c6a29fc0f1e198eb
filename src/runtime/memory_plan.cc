#include "runtime/memory_plan.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "tensor/tensor.h"

namespace edgewright {
namespace {

using Order = std::vector<uint32_t>;

// Orders beyond the fixed ones are tried until the arena is as small as the live set, this often;
// large problems less often, since each try places every block anew.
constexpr size_t kMostTries = 2000;
constexpr size_t kMostPlacements = 1'500'000;

size_t rounded(size_t size_bytes) {
  return (size_bytes + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

bool meet(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

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

// By how much blocks end above `bound`, summed: falls where one place of many gets better, while
// the size of the arena stays until the last of them does.
size_t excess(std::span<const Lifetime> blocks, const MemoryPlan& plan, size_t bound) {
  size_t sum = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const size_t end = plan.offsets[i] + rounded(blocks[i].size_bytes);
    sum += end > bound ? end - bound : 0;
  }
  return sum;
}

// Local search: a block that ends above the bound, or one that it meets, is placed just before one
// that that block meets. What is as good is taken too: from there a better one may be a step away.
class Search {
 public:
  Search(std::span<const Lifetime> blocks, const std::vector<Order>& neighbours, size_t bound)
      : blocks_(blocks), neighbours_(neighbours), bound_(bound) {}

  void start(const Order& order) {
    MemoryPlan plan = place(blocks_, order, neighbours_);
    const size_t above = excess(blocks_, plan, bound_);
    keep_smallest(plan);
    if (!order_.empty() && above >= excess_) return;
    accept(order, plan, above);
  }

  void improve() {
    const size_t tries =
        std::min(kMostTries, kMostPlacements / std::max<size_t>(1, blocks_.size()));
    for (size_t i = 0; i < tries && excess_ > 0; ++i) {
      Order order = neighbouring_order();
      MemoryPlan plan = place(blocks_, order, neighbours_);
      const size_t above = excess(blocks_, plan, bound_);
      keep_smallest(plan);
      if (above <= excess_) accept(std::move(order), plan, above);
    }
  }

  // The smallest arena that was seen.
  MemoryPlan best() && { return std::move(best_); }

 private:
  void accept(Order order, const MemoryPlan& plan, size_t above) {
    order_ = std::move(order);
    excess_ = above;
    above_.clear();
    for (uint32_t i = 0; i < blocks_.size(); ++i) {
      if (plan.offsets[i] + rounded(blocks_[i].size_bytes) > bound_) above_.push_back(i);
    }
  }

  void keep_smallest(const MemoryPlan& plan) {
    if (best_.offsets.empty() || plan.arena_bytes < best_.arena_bytes) best_ = plan;
  }

  uint32_t one_of(const Order& list) { return list[random_() % list.size()]; }

  Order neighbouring_order() {
    // A block above the bound meets others: alone it would lie at the bottom.
    const uint32_t above = one_of(above_);
    const size_t drawn = random_() % (neighbours_[above].size() + 1);
    const uint32_t moved = drawn == neighbours_[above].size() ? above : neighbours_[above][drawn];
    const uint32_t before = one_of(neighbours_[moved]);
    Order order = order_;
    order.erase(std::ranges::find(order, moved));
    order.insert(std::ranges::find(order, before), moved);
    return order;
  }

  std::span<const Lifetime> blocks_;
  const std::vector<Order>& neighbours_;
  size_t bound_;
  std::minstd_rand random_{1};
  Order order_, above_;
  size_t excess_ = 0;
  MemoryPlan best_;
};

}  // namespace

size_t live_set_bytes(std::span<const Lifetime> blocks) {
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

MemoryPlan plan_memory(std::span<const Lifetime> blocks) {
  const size_t bound = live_set_bytes(blocks);
  const auto neighbours = neighbours_of(blocks);
  const auto length = [](const Lifetime& b) { return static_cast<size_t>(b.last - b.first + 1); };
  const Order orders[] = {
      sorted_by(blocks, [](const Lifetime& b) { return b.size_bytes; }),
      sorted_by(blocks, [&](const Lifetime& b) { return b.size_bytes * length(b); }),
      sorted_by(blocks, [](const Lifetime& b) { return -b.first; }),
      sorted_by(blocks, [&](const Lifetime& b) { return length(b); }),
  };
  Search search(blocks, neighbours, bound);
  for (const Order& order : orders) search.start(order);
  search.improve();
  MemoryPlan plan = std::move(search).best();
  plan.live_set_bytes = bound;
  return plan;
}

}  // namespace edgewright
