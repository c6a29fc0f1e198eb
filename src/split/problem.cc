#include "split/problem.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

bool is_amount(double value) { return std::isfinite(value) && value >= 0; }

void check_layer(const SplitProblem& problem, size_t index, std::vector<std::string>& broken) {
  const SplitLayer& layer = problem.layers[index];
  if (layer.time_us.size() != problem.tiers()) {
    broken.push_back(fmt::format("layer '{}' has {} times, expected one for each of {} tiers",
                                 layer.name, layer.time_us.size(), problem.tiers()));
  }
  const bool amounts = std::ranges::all_of(layer.time_us, is_amount) &&
                       is_amount(layer.result_bytes) && is_amount(layer.weight_bytes) &&
                       is_amount(layer.energy_mj);
  if (!amounts) {
    broken.push_back(fmt::format("layer '{}' has a negative or infinite time or size", layer.name));
  }
}

void check_tensor(const SplitProblem& problem, const SplitTensor& tensor,
                  std::vector<std::string>& broken) {
  if (tensor.producer >= problem.layers.size()) {
    broken.push_back(fmt::format("tensor '{}' has no producer", tensor.name));
  }
  if (!is_amount(tensor.size_bytes)) {
    broken.push_back(fmt::format("tensor '{}' has a negative or infinite size", tensor.name));
  }
  for (const size_t consumer : tensor.consumers) {
    if (consumer <= tensor.producer || consumer >= problem.layers.size()) {
      broken.push_back(fmt::format("tensor '{}' has consumer {}, which is not after its producer",
                                   tensor.name, consumer));
    }
  }
}

}  // namespace

std::vector<std::string> violations(const SplitProblem& problem) {
  std::vector<std::string> broken;
  if (problem.layers.empty()) broken.emplace_back("there are no layers");
  // Assignments are bytes, and nobody has more tiers than this.
  if (problem.tiers() > 16) broken.emplace_back("there are more than 16 tiers");
  for (size_t i = 0; i < problem.layers.size(); ++i) check_layer(problem, i, broken);
  for (const SplitTensor& tensor : problem.tensors) check_tensor(problem, tensor, broken);
  for (const SplitHop& hop : problem.hops) {
    if (!is_amount(hop.us_per_byte) || !is_amount(hop.us_per_result_byte) ||
        !is_amount(hop.fixed_us) || !is_amount(hop.mj_per_byte)) {
      broken.emplace_back("a hop has a negative or infinite time");
    }
  }
  return broken;
}

bool is_allowed(const SplitProblem& problem, const Placement& placement) {
  if (placement.size() != problem.layers.size() || placement.empty() || placement[0] != 0) {
    return false;
  }
  return std::ranges::all_of(problem.tensors, [&](const SplitTensor& tensor) {
    return std::ranges::all_of(tensor.consumers, [&](size_t consumer) {
      return placement[consumer] >= placement[tensor.producer];
    });
  });
}

SplitCost cost_of(const SplitProblem& problem, const Placement& placement) {
  EDGEWRIGHT_CHECK(is_allowed(problem, placement));
  SplitCost cost;
  cost.tier_us.assign(problem.tiers(), 0);
  cost.hop_us.assign(problem.hops.size(), 0);
  cost.sent_bytes.assign(problem.hops.size(), 0);
  cost.sent_tensors.resize(problem.hops.size());
  const size_t last_tier = *std::ranges::max_element(placement);
  for (size_t i = 0; i < placement.size(); ++i) {
    const SplitLayer& layer = problem.layers[i];
    cost.tier_us[placement[i]] += layer.time_us[placement[i]];
    for (size_t hop = 0; hop < placement[i]; ++hop) {
      cost.hop_us[hop] += layer.result_bytes * problem.hops[hop].us_per_result_byte;
    }
    if (placement[i] != 0) continue;
    cost.device_weight_bytes += layer.weight_bytes;
    cost.device_energy_mj += layer.energy_mj;
  }
  for (size_t i = 0; i < problem.tensors.size(); ++i) {
    const SplitTensor& tensor = problem.tensors[i];
    size_t farthest = placement[tensor.producer];
    for (const size_t consumer : tensor.consumers) {
      farthest = std::max<size_t>(farthest, placement[consumer]);
    }
    for (size_t hop = placement[tensor.producer]; hop < farthest; ++hop) {
      cost.sent_bytes[hop] += tensor.size_bytes;
      cost.sent_tensors[hop].push_back(i);
    }
  }
  for (size_t hop = 0; hop < last_tier; ++hop) {
    cost.hop_us[hop] +=
        problem.hops[hop].fixed_us + cost.sent_bytes[hop] * problem.hops[hop].us_per_byte;
  }
  if (!problem.hops.empty()) {
    cost.device_energy_mj += cost.sent_bytes[0] * problem.hops[0].mj_per_byte;
  }
  for (size_t hop = 0; hop < problem.hops.size(); ++hop) {
    cost.price += cost.sent_bytes[hop] * problem.hops[hop].price_per_byte;
  }
  for (size_t tier = 1; tier < problem.tiers(); ++tier) {
    cost.price += cost.tier_us[tier] * problem.server_price_per_us;
  }
  for (const double time_us : cost.tier_us) cost.latency_us += time_us;
  for (const double time_us : cost.hop_us) cost.latency_us += time_us;
  cost.bottleneck_us = *std::ranges::max_element(cost.tier_us);
  for (const double time_us : cost.hop_us) {
    cost.bottleneck_us = std::max(cost.bottleneck_us, time_us);
  }
  return cost;
}

std::string cut_name(const SplitProblem& problem, const Placement& placement) {
  size_t last = 0;
  bool all = true;
  for (size_t i = 0; i < placement.size(); ++i) {
    if (placement[i] == 0) last = i;
    all = all && placement[i] == 0;
  }
  if (all) return "output";
  return last == 0 ? "input" : problem.layers[last].name;
}

Placement linear_placement(size_t layers, const std::vector<size_t>& ends) {
  Placement placement(layers, static_cast<uint8_t>(ends.size()));
  for (size_t tier = ends.size(); tier-- > 0;) {
    std::fill_n(placement.begin(), ends[tier], static_cast<uint8_t>(tier));
  }
  return placement;
}

}  // namespace edgewright
