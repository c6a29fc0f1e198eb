#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgewright {

// Maximum flow and minimum cut of a directed graph with integer capacities: highest-label
// push-relabel with the gap and global relabelling heuristics (Cherkassky and Goldberg, "On
// implementing the push-relabel method for the maximum flow problem", Algorithmica 1997). Only its
// first phase runs: that gives the value and the cut, which is all that a plan needs.
class MaxFlow {
 public:
  // The finite capacities of a graph may sum up to this; infinite ones are far larger, and do not
  // overflow as long as fewer than 2^12 of them leave the source.
  static constexpr int64_t kLargestSum = int64_t{1} << 46;
  static constexpr int64_t kInfinite = int64_t{1} << 50;

  explicit MaxFlow(size_t vertices) : first_arcs_(vertices, kNone) {}

  size_t vertices() const { return first_arcs_.size(); }
  // An arc and, in the same pair, one that leads back.
  void add_arc(size_t from, size_t to, int64_t capacity, int64_t back_capacity = 0);
  // Computes the flow. Once per object.
  int64_t solve(size_t source, size_t sink);
  // After solve(): whether the vertex lies on the source's side of the minimum cut that leaves as
  // many vertices there as any minimum cut does.
  bool on_source_side(size_t vertex) const { return heights_[vertex] >= vertices(); }

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};
  struct Arc {
    uint32_t to, next;
    int64_t residual;
  };

  void relabel_globally();
  void discharge(uint32_t vertex);
  void relabel(uint32_t vertex);
  void close_gap(uint32_t height);
  void activate(uint32_t vertex);

  std::vector<uint32_t> first_arcs_;
  std::vector<Arc> arcs_;  // the arc back is at index ^ 1
  std::vector<uint32_t> heights_, current_arcs_, queue_;
  std::vector<uint32_t> counts_;  // of vertices at every height
  std::vector<int64_t> excess_;
  // By height. Both may hold vertices that have moved on since; their height tells.
  std::vector<std::vector<uint32_t>> active_, at_height_;
  uint32_t source_ = 0, sink_ = 0, highest_active_ = 0, highest_ = 0;
  size_t work_ = 0;
};

}  // namespace edgewright
