#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "quantize/qdq.h"
#include "quantize/runner.h"

namespace edgewright {

// One layer as a graph of its own, with the activations behind it. With a decision it reads and
// makes integers, as it would between other integer layers: its inputs are the integers, and its
// output too where the decision rounds it. Values are renamed so that layers of the same shape give
// the same text. The graph's shapes must be known.
Result<std::unique_ptr<Graph>> isolated_layer(const Graph& graph, const std::string& layer,
                                              const QuantDecision* decision);
// Products of two activations that a softmax joins (attention) run as one kernel, so that they are
// measured, and refused, together.
struct LayerUnit {
  std::vector<std::string> layers;
  std::vector<const Node*> nodes;  // the products, what lies between, and the moves at both ends
  const Value* result = nullptr;   // of the last node
};
std::vector<LayerUnit> layer_units(const QuantSites& sites);
// As isolated_layer().
Result<std::unique_ptr<Graph>> isolated_unit(const LayerUnit& unit, const QuantDecision* decision);
// QuantizeLinear alone, for a value of these dimensions.
std::unique_ptr<Graph> isolated_rounding(const Dims& dims, const QuantParams& params);

// What layers and the conversions between them cost, measured one by one.
class LayerCosts {
 public:
  // Measures every layer of the sites in float and in integers, and the rounding of every point.
  // Layers of the same shape are measured once. `decision` covers all sites.
  // `low`: 16-bit types that layers with weights are measured in as well.
  static Result<LayerCosts> measure(Graph& graph, const QuantSites& sites,
                                    const QuantDecision& decision, LatencyMeter& meter,
                                    const Progress& progress = nullptr,
                                    std::span<const DType> low = {});

  struct Pair {
    double float_us = 0, integer_us = 0;
    bool tuned = true;  // both ran on kernels made for speed
  };
  const std::map<std::string, Pair>& layers() const { return layers_; }
  struct Unit {
    std::vector<std::string> layers;
    Pair times;
    std::set<std::string> inside;  // values whose rounding the times hold
  };
  const std::vector<Unit>& units() const { return units_; }

  // The sum over all measured layers, those of `sites` in integers and the others in float, with
  // the rounding of values that no integer layer makes or that others read in float as well.
  // `sites` are of the same graph, with fewer layers. `low`: layers that are in 16 bits.
  double total_us(const QuantSites& sites, const std::map<std::string, DType>& low = {}) const;

  // What a layer takes in float32 or one of the 16-bit types; a gain that is within what measuring
  // is off by counts as none.
  double float_us(const std::string& layer, DType dtype) const;

 private:
  std::map<std::string, Pair> layers_;  // by the value that the layer makes
  std::vector<Unit> units_;
  std::map<std::pair<std::string, DType>, double> low_us_;
  std::map<std::string, double> rounding_us_;  // by value
};

}  // namespace edgewright
