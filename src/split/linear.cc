#include <algorithm>
#include <limits>

#include "split/solve.h"

namespace edgewright {
namespace {

// Running sums over the layers in their order. Position e lies before layer e.
struct LinearSums {
  std::vector<std::vector<double>> time_us;  // [tier][e]: of the layers before e
  std::vector<double> sent_bytes;            // of the tensors that are alive at e
  std::vector<double> result_bytes;          // of the layers from e on

  explicit LinearSums(const SplitProblem& problem) {
    const size_t layers = problem.layers.size();
    time_us.assign(problem.tiers(), std::vector<double>(layers + 1, 0));
    sent_bytes.assign(layers + 1, 0);
    result_bytes.assign(layers + 1, 0);
    for (size_t e = 0; e < layers; ++e) {
      for (size_t tier = 0; tier < problem.tiers(); ++tier) {
        time_us[tier][e + 1] = time_us[tier][e] + problem.layers[e].time_us[tier];
      }
    }
    for (size_t e = layers; e-- > 0;) {
      result_bytes[e] = result_bytes[e + 1] + problem.layers[e].result_bytes;
    }
    // First what begins and what ends at every position.
    for (const SplitTensor& tensor : problem.tensors) {
      if (tensor.consumers.empty()) continue;
      sent_bytes[tensor.producer + 1] += tensor.size_bytes;
      const size_t last = *std::ranges::max_element(tensor.consumers);
      sent_bytes[last + 1] -= tensor.size_bytes;
    }
    for (size_t e = 1; e <= layers; ++e) sent_bytes[e] += sent_bytes[e - 1];
    // Differences of sizes that are no whole numbers may leave a trace below zero.
    for (double& bytes : sent_bytes) bytes = std::max(bytes, 0.0);
  }

  // Of a hop that lies at position e; nothing is sent when no layer is beyond it.
  double hop_us(const SplitHop& hop, size_t e) const {
    if (e + 1 == sent_bytes.size()) return 0;
    return hop.fixed_us + sent_bytes[e] * hop.us_per_byte +
           result_bytes[e] * hop.us_per_result_byte;
  }
};

double combine(SplitObjective objective, double a, double b) {
  return objective == SplitObjective::kLatency ? a + b : std::max(a, b);
}

}  // namespace

Placement best_linear_placement(const SplitProblem& problem, SplitObjective objective) {
  const size_t layers = problem.layers.size();
  const LinearSums sums(problem);
  // best[e]: of the tiers so far, when they have run the layers before e. The input stays.
  std::vector<double> best = sums.time_us[0];
  best[0] = std::numeric_limits<double>::infinity();
  std::vector<std::vector<size_t>> from(problem.tiers(), std::vector<size_t>(layers + 1, 0));
  for (size_t tier = 1; tier < problem.tiers(); ++tier) {
    std::vector<double> next(layers + 1, std::numeric_limits<double>::infinity());
    // Only the whole computation matters after the last tier.
    const size_t first_end = tier + 1 == problem.tiers() ? layers : 1;
    for (size_t e = first_end; e <= layers; ++e) {
      // From the largest start down: ties leave layers on the earlier tier.
      for (size_t start = e; start >= 1; --start) {
        double cost = best[start];
        if (start < layers) {
          cost = combine(objective, cost, sums.hop_us(problem.hops[tier - 1], start));
        }
        cost = combine(objective, cost, sums.time_us[tier][e] - sums.time_us[tier][start]);
        if (cost < next[e]) {
          next[e] = cost;
          from[tier][e] = start;
        }
      }
    }
    best = std::move(next);
  }
  std::vector<size_t> ends(problem.hops.size());
  size_t end = layers;
  for (size_t tier = problem.tiers() - 1; tier > 0; --tier) {
    end = from[tier][end];
    ends[tier - 1] = end;
  }
  return linear_placement(layers, ends);
}

std::vector<SplitCost> linear_costs(const SplitProblem& problem) {
  std::vector<SplitCost> costs;
  if (problem.hops.empty()) return costs;
  const LinearSums sums(problem);
  const size_t layers = problem.layers.size();
  const SplitHop& hop = problem.hops[0];
  SplitCost cost;
  for (size_t e = 1; e <= layers; ++e) {
    cost.tier_us = {sums.time_us[0][e], sums.time_us[1][layers] - sums.time_us[1][e]};
    cost.hop_us = {sums.hop_us(hop, e)};
    cost.sent_bytes = {sums.sent_bytes[e]};
    cost.latency_us = cost.tier_us[0] + cost.hop_us[0] + cost.tier_us[1];
    cost.bottleneck_us = std::max({cost.tier_us[0], cost.hop_us[0], cost.tier_us[1]});
    costs.push_back(cost);
  }
  return costs;
}

Placement bottleneck_first(const SplitProblem& problem) {
  // How many narrow places are looked at.
  constexpr size_t kPlaces = 4;
  const auto costs = linear_costs(problem);
  std::vector<size_t> ends(costs.size());
  for (size_t i = 0; i < ends.size(); ++i) ends[i] = i;
  std::ranges::stable_sort(ends, {}, [&](size_t i) { return costs[i].sent_bytes[0]; });
  ends.resize(std::min(ends.size(), kPlaces));
  const size_t best =
      *std::ranges::min_element(ends, {}, [&](size_t i) { return costs[i].latency_us; });
  return linear_placement(problem.layers.size(), {best + 1});
}

Placement progressive(const SplitProblem& problem) {
  const auto costs = linear_costs(problem);
  size_t end = 0;
  while (end + 1 < costs.size() && costs[end + 1].latency_us < costs[end].latency_us) ++end;
  return linear_placement(problem.layers.size(), {end + 1});
}

}  // namespace edgewright
