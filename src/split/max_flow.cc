#include "split/max_flow.h"

#include <algorithm>

#include "base/result.h"

namespace edgewright {

void MaxFlow::add_arc(size_t from, size_t to, int64_t capacity, int64_t back_capacity) {
  EDGEWRIGHT_CHECK(from < vertices() && to < vertices() && capacity >= 0 && back_capacity >= 0);
  const auto forward = static_cast<uint32_t>(arcs_.size());
  arcs_.push_back({static_cast<uint32_t>(to), first_arcs_[from], capacity});
  arcs_.push_back({static_cast<uint32_t>(from), first_arcs_[to], back_capacity});
  first_arcs_[from] = forward;
  first_arcs_[to] = forward + 1;
}

void MaxFlow::activate(uint32_t vertex) {
  if (vertex == source_ || vertex == sink_ || heights_[vertex] >= vertices()) return;
  active_[heights_[vertex]].push_back(vertex);
  highest_active_ = std::max(highest_active_, heights_[vertex]);
}

// Heights become exact distances to the sink; what cannot reach it any more is out of the game.
void MaxFlow::relabel_globally() {
  const auto unreachable = static_cast<uint32_t>(vertices());
  std::ranges::fill(heights_, unreachable);
  for (auto& list : active_) list.clear();
  for (auto& list : at_height_) list.clear();
  std::ranges::fill(counts_, 0);
  current_arcs_ = first_arcs_;
  highest_active_ = highest_ = 0;
  heights_[sink_] = 0;
  queue_.assign(1, sink_);
  for (size_t head = 0; head < queue_.size(); ++head) {
    const uint32_t vertex = queue_[head];
    for (uint32_t arc = first_arcs_[vertex]; arc != kNone; arc = arcs_[arc].next) {
      const uint32_t from = arcs_[arc].to;
      if (arcs_[arc ^ 1].residual == 0 || heights_[from] != unreachable || from == source_)
        continue;
      heights_[from] = heights_[vertex] + 1;
      queue_.push_back(from);
      at_height_[heights_[from]].push_back(from);
      ++counts_[heights_[from]];
      highest_ = heights_[from];
      if (excess_[from] > 0) activate(from);
    }
  }
  work_ = 0;
}

// When no vertex has a height any more, those above it cannot reach the sink.
void MaxFlow::close_gap(uint32_t height) {
  for (uint32_t above = height + 1; above <= highest_; ++above) {
    for (const uint32_t vertex : at_height_[above]) {
      if (heights_[vertex] == above) heights_[vertex] = static_cast<uint32_t>(vertices());
    }
    at_height_[above].clear();
    counts_[above] = 0;
    active_[above].clear();
  }
  highest_ = std::min(highest_, height);
}

void MaxFlow::relabel(uint32_t vertex) {
  const auto unreachable = static_cast<uint32_t>(vertices());
  const uint32_t old_height = heights_[vertex];
  if (--counts_[old_height] == 0) {
    close_gap(old_height);
    heights_[vertex] = unreachable;
    return;
  }
  uint32_t lowest = unreachable;
  for (uint32_t arc = first_arcs_[vertex]; arc != kNone; arc = arcs_[arc].next) {
    ++work_;
    if (arcs_[arc].residual > 0 && heights_[arcs_[arc].to] + 1 < lowest) {
      lowest = heights_[arcs_[arc].to] + 1;
      current_arcs_[vertex] = arc;
    }
  }
  heights_[vertex] = lowest;
  if (lowest >= unreachable) return;
  at_height_[lowest].push_back(vertex);
  ++counts_[lowest];
  highest_ = std::max(highest_, lowest);
}

void MaxFlow::discharge(uint32_t vertex) {
  while (excess_[vertex] > 0 && heights_[vertex] < vertices()) {
    uint32_t& current = current_arcs_[vertex];
    for (; current != kNone; current = arcs_[current].next) {
      ++work_;
      Arc& arc = arcs_[current];
      if (arc.residual == 0 || heights_[arc.to] + 1 != heights_[vertex]) continue;
      const int64_t amount = std::min(excess_[vertex], arc.residual);
      const bool was_idle = excess_[arc.to] == 0;
      arc.residual -= amount;
      arcs_[current ^ 1].residual += amount;
      excess_[vertex] -= amount;
      excess_[arc.to] += amount;
      if (was_idle) activate(arc.to);
      if (excess_[vertex] == 0) return;
    }
    relabel(vertex);
  }
}

int64_t MaxFlow::solve(size_t source, size_t sink) {
  source_ = static_cast<uint32_t>(source);
  sink_ = static_cast<uint32_t>(sink);
  heights_.resize(vertices());
  excess_.assign(vertices(), 0);
  active_.resize(vertices() + 1);
  at_height_.resize(vertices() + 1);
  counts_.resize(vertices() + 1);
  for (uint32_t arc = first_arcs_[source_]; arc != kNone; arc = arcs_[arc].next) {
    excess_[arcs_[arc].to] += arcs_[arc].residual;
    arcs_[arc ^ 1].residual += arcs_[arc].residual;
    arcs_[arc].residual = 0;
  }
  relabel_globally();
  // As often as the authors advise: when the work equals some passes over the graph.
  const size_t work_limit = 6 * vertices() + arcs_.size() / 2;
  while (true) {
    while (highest_active_ > 0 && active_[highest_active_].empty()) --highest_active_;
    if (active_[highest_active_].empty()) break;
    const uint32_t vertex = active_[highest_active_].back();
    active_[highest_active_].pop_back();
    if (heights_[vertex] == highest_active_) discharge(vertex);
    if (work_ > work_limit) relabel_globally();
  }
  relabel_globally();  // exact heights tell the two sides apart
  return excess_[sink_];
}

}  // namespace edgewright
