#include <algorithm>
#include <limits>
#include <optional>

#include "split/max_flow.h"
#include "split/solve.h"

namespace edgewright {
namespace {

// The cut graph of a problem with a fixed number of tiers, all fixed times aside. Vertex (layer,
// hop) is on the source's side when the layer's tier is at most `hop`.
class CutGraph {
 public:
  CutGraph(const SplitProblem& problem, size_t tiers, const TierRanges& ranges)
      : problem_(problem), hops_(tiers - 1), flow_(count_vertices(problem, hops_)) {
    scale_ = 1 / std::max(largest_total(), std::numeric_limits<double>::min());
    ranges_.assign(problem.layers.size(), {0, tiers - 1});
    ranges_[0] = {0, 0};
    for (const auto& [layer, range] : ranges) {
      ranges_[layer].first = std::max(ranges_[layer].first, range.first);
      ranges_[layer].last = std::min(ranges_[layer].last, range.last);
    }
    for (size_t layer = 0; layer < problem.layers.size(); ++layer) add_layer(layer);
    size_t next_vertex = 2 + problem.layers.size() * hops_;
    for (const SplitTensor& tensor : problem.tensors) {
      for (size_t hop = 0; hop < hops_; ++hop) add_tensor(tensor, hop, next_vertex);
    }
  }

  // Whether every layer has a tier left at all.
  bool is_possible() const {
    return std::ranges::all_of(ranges_, [](TierRange range) { return range.first <= range.last; });
  }

  // None when the ranges forbid every placement.
  std::optional<Placement> solve() {
    if (flow_.solve(kSource, kSink) >= MaxFlow::kInfinite) return std::nullopt;
    Placement placement(problem_.layers.size(), 0);
    for (size_t layer = 0; layer < placement.size(); ++layer) {
      for (size_t hop = 0; hop < hops_; ++hop) {
        if (!flow_.on_source_side(vertex(layer, hop))) ++placement[layer];
      }
    }
    return placement;
  }

 private:
  static constexpr size_t kSource = 0, kSink = 1;

  static bool is_shared(const SplitTensor& tensor) { return tensor.consumers.size() > 1; }
  static size_t count_vertices(const SplitProblem& problem, size_t hops) {
    const auto shared = std::ranges::count_if(problem.tensors, is_shared);
    return 2 + (problem.layers.size() + static_cast<size_t>(shared)) * hops;
  }
  size_t vertex(size_t layer, size_t hop) const { return 2 + layer * hops_ + hop; }

  double time_us(const SplitLayer& layer, size_t tier) const {
    double time_us = layer.time_us[tier];
    for (size_t hop = 0; hop < tier; ++hop) {
      time_us += layer.result_bytes * problem_.hops[hop].us_per_result_byte;
    }
    return time_us;
  }
  double largest_total() const {
    double total = 0;
    for (const SplitLayer& layer : problem_.layers) {
      for (size_t tier = 0; tier <= hops_; ++tier) total += time_us(layer, tier);
    }
    for (const SplitTensor& tensor : problem_.tensors) {
      for (size_t hop = 0; hop < hops_; ++hop) {
        total += tensor.size_bytes * problem_.hops[hop].us_per_byte;
      }
    }
    return total;
  }
  int64_t capacity(double time_us) const {
    return static_cast<int64_t>(time_us * scale_ * static_cast<double>(MaxFlow::kLargestSum));
  }

  // A chain from the source to the sink; the arc that is cut is the tier that is chosen.
  void add_layer(size_t layer) {
    for (size_t tier = 0; tier <= hops_; ++tier) {
      const size_t from = tier == hops_ ? kSource : vertex(layer, tier);
      const size_t to = tier == 0 ? kSink : vertex(layer, tier - 1);
      const bool allowed = ranges_[layer].first <= tier && tier <= ranges_[layer].last;
      const bool inner = tier > 0 && tier < hops_;
      flow_.add_arc(from, to,
                    allowed ? capacity(time_us(problem_.layers[layer], tier)) : MaxFlow::kInfinite,
                    inner ? MaxFlow::kInfinite : 0);
    }
  }

  void add_tensor(const SplitTensor& tensor, size_t hop, size_t& next_vertex) {
    const size_t producer = vertex(tensor.producer, hop);
    const int64_t weight = capacity(tensor.size_bytes * problem_.hops[hop].us_per_byte);
    if (!is_shared(tensor)) {
      for (const size_t consumer : tensor.consumers) {
        flow_.add_arc(producer, vertex(consumer, hop), weight, MaxFlow::kInfinite);
      }
      return;
    }
    const size_t sent = next_vertex++;
    flow_.add_arc(producer, sent, weight, MaxFlow::kInfinite);
    for (const size_t consumer : tensor.consumers) {
      // Beyond the hop when any consumer is; a consumer before it needs its producer before it.
      flow_.add_arc(sent, vertex(consumer, hop), MaxFlow::kInfinite);
      flow_.add_arc(vertex(consumer, hop), producer, MaxFlow::kInfinite);
    }
  }

  const SplitProblem& problem_;
  size_t hops_;
  MaxFlow flow_;
  double scale_ = 1;
  std::vector<TierRange> ranges_;
};

// With the ranges cut down to `tiers`; nothing when a layer must lie beyond them.
std::optional<Placement> solve_for_tiers(const SplitProblem& problem, size_t tiers,
                                         const TierRanges& ranges) {
  CutGraph cut(problem, tiers, ranges);
  return cut.is_possible() ? cut.solve() : std::nullopt;
}

}  // namespace

Result<Placement> minimum_cut(const SplitProblem& problem, const TierRanges& ranges) {
  std::optional<Placement> best;
  double best_us = std::numeric_limits<double>::infinity();
  // With the fixed times of the hops that the tiers need, every number of tiers is a problem of
  // its own; a solution that leaves its last tier empty is found again, cheaper, with fewer.
  for (size_t tiers = 1; tiers <= problem.tiers(); ++tiers) {
    auto placement = solve_for_tiers(problem, tiers, ranges);
    if (!placement) continue;
    const double latency_us = cost_of(problem, *placement).latency_us;
    if (latency_us < best_us) {
      best_us = latency_us;
      best = std::move(placement);
    }
  }
  if (!best) return check_failed("no placement keeps every layer on the tiers it is allowed on");
  return *std::move(best);
}

}  // namespace edgewright
