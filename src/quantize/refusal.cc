#include "quantize/refusal.h"

#include <algorithm>

namespace edgewright {
namespace {

// Removes from the integer layers, one by one, those whose removal lowers the sum; a few rounds,
// because a layer may only pay for as long as its neighbours are in integers too.
constexpr int kRounds = 3;
// A gain that is less than this share of all layers is within what measuring is off by.
constexpr double kLeastShare = 0.002;

// Layers that are refused together, with their times.
struct Group {
  std::vector<std::string> layers;
  LayerCosts::Pair times;

  std::string name() const {
    return layers.size() == 1 ? layers[0] : fmt::format("attention of {}", fmt::join(layers, ", "));
  }
};

// The compute layers of the sites for which both forms have kernels made for speed.
std::vector<Group> judged_groups(const QuantSites& sites, const LayerCosts& costs) {
  std::vector<Group> groups;
  std::set<std::string> in_units;
  for (const LayerCosts::Unit& unit : costs.units()) {
    in_units.insert(unit.layers.begin(), unit.layers.end());
    if (unit.times.tuned) groups.push_back({unit.layers, unit.times});
  }
  for (const QuantLayer& layer : sites.layers) {
    const auto it = costs.layers().find(layer.name());
    const bool judged = it != costs.layers().end() && it->second.tuned;
    if (layer.role != QuantRole::kCompute || !judged || in_units.contains(layer.name())) continue;
    groups.push_back({{layer.name()}, it->second});
  }
  return groups;
}

}  // namespace

RefusedLayers refuse_slower(Graph& graph, const QuantSites& sites, const LayerCosts& costs,
                            const SiteOptions& options, double least_gain) {
  RefusedLayers refusal;
  SiteOptions current = options;
  const std::vector<Group> groups = judged_groups(sites, costs);
  refusal.all_integer_us = costs.total_us(sites);
  refusal.all_float_us = costs.total_us(QuantSites());
  double best = refusal.all_integer_us;
  for (int round = 0; round < kRounds; ++round) {
    bool changed = false;
    for (const Group& group : groups) {
      if (current.excluded.contains(group.layers[0])) continue;
      current.excluded.insert(group.layers.begin(), group.layers.end());
      const double without = costs.total_us(find_sites(graph, current));
      const double least = std::max(least_gain * group.times.integer_us, kLeastShare * best);
      if (best - without > least) {
        refusal.choices.push_back(
            {group.name(), "float32", "int8",
             fmt::format("{:.1f} us in float32, {:.1f} us in int8; all layers together {:.1f} us "
                         "against {:.1f} us, measured here",
                         group.times.float_us, group.times.integer_us, without, best)});
        best = without;
        refusal.layers.insert(group.layers.begin(), group.layers.end());
        changed = true;
      } else {
        for (const std::string& name : group.layers) current.excluded.erase(name);
      }
    }
    if (!changed) break;
  }
  refusal.chosen_us = best;
  return refusal;
}

}  // namespace edgewright
