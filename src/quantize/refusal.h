#pragma once

#include <set>
#include <string>
#include <vector>

#include "quantize/layer_cost.h"
#include "quantize/static_int8.h"

namespace edgewright {

// Which layers had better stay in float because integers measure slower here, conversions at their
// edges counted.
struct RefusedLayers {
  std::set<std::string> layers;                                // compute layers
  double all_integer_us = 0, all_float_us = 0, chosen_us = 0;  // sums over the measured layers
  std::vector<QuantChoice> choices;
};
// `least_gain`: a layer is refused only when the sum falls by at least this share of the layer's
// own time and by two thousandths; below that the difference is noise. Layers that have no kernel
// made for speed in one of the two forms are not judged.
RefusedLayers refuse_slower(Graph& graph, const QuantSites& sites, const LayerCosts& costs,
                            const SiteOptions& options, double least_gain = 0.1);

}  // namespace edgewright
