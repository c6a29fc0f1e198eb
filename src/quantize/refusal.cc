#include "quantize/refusal.h"

namespace edgewright {
namespace {

// Removes from the integer layers, one by one, those whose removal lowers the sum; a few rounds,
// because a layer may only pay for as long as its neighbours are in integers too.
constexpr int kRounds = 3;

}  // namespace

RefusedLayers refuse_slower(Graph& graph, const QuantSites& sites, const LayerCosts& costs,
                            const SiteOptions& options, double least_gain) {
  RefusedLayers refusal;
  SiteOptions current = options;
  std::vector<std::string> compute;
  for (const QuantLayer& layer : sites.layers) {
    const auto it = costs.layers().find(layer.name());
    const bool judged = it != costs.layers().end() && it->second.tuned;
    if (layer.role == QuantRole::kCompute && judged) compute.push_back(layer.name());
  }
  refusal.all_integer_us = costs.total_us(sites);
  refusal.all_float_us = costs.total_us(QuantSites());
  double best = refusal.all_integer_us;
  for (int round = 0; round < kRounds; ++round) {
    bool changed = false;
    for (const std::string& name : compute) {
      if (current.excluded.contains(name)) continue;
      current.excluded.insert(name);
      const double without = costs.total_us(find_sites(graph, current));
      const LayerCosts::Pair& pair = costs.layers().at(name);
      if (best - without > least_gain * pair.integer_us) {
        refusal.choices.push_back(
            {name, "float32", "int8",
             fmt::format("{:.1f} us in float32, {:.1f} us in int8; all layers together {:.1f} us "
                         "against {:.1f} us, measured here",
                         pair.float_us, pair.integer_us, without, best)});
        best = without;
        refusal.layers.insert(name);
        changed = true;
      } else {
        current.excluded.erase(name);
      }
    }
    if (!changed) break;
  }
  refusal.chosen_us = best;
  return refusal;
}

}  // namespace edgewright
