#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace edgewright {

// What an operator means for integer arithmetic.
enum class QuantRole : uint8_t {
  kNone,         // stays in float
  kCompute,      // sums of products: Conv, MatMul, Gemm, ConvTranspose
  kElementwise,  // runs on integers when everything around it does: Add, pooling, Concat
  kTransparent,  // moves numbers about: its output has the scale of its input
};
QuantRole quant_role(const Node& node);

// A node that can run in integers: which inputs are activations, which one holds weights.
struct QuantLayer {
  Node* node = nullptr;
  QuantRole role = QuantRole::kNone;
  std::vector<size_t> activations;  // input indices
  int weights = -1;                 // input index; -1: none
  int weight_axis = -1;             // of the output channels; -1: one scale for all
  int bias = -1;                    // input index of a bias that can be an int32 constant

  // Layers are known by the value that they make: graphs are copied, names stay.
  const std::string& name() const { return node->outputs[0]->name; }
};

// Empty when the node cannot run in integers, whatever surrounds it: an operator that stays in
// float, weights that are no constants of type float32, attributes that scale the product.
std::optional<QuantLayer> quant_layer(Node& node);
// Every kCompute layer of the main graph, in order. Subgraphs stay in float.
std::vector<QuantLayer> compute_layers(Graph& graph);

// A value that is rounded to 8 bits, and the value whose numbers decide how: the same, or the one
// from which a transparent operator took them.
struct QuantPoint {
  Value* value = nullptr;
  Value* source = nullptr;
};

// Which nodes run in integers and which values are rounded for that.
struct QuantSites {
  std::vector<QuantLayer> layers;  // compute layers, and what runs in integers between them
  std::vector<QuantPoint> points;  // each value once
  // Values that every reader takes rounded, layers or not; among the points.
  std::set<std::string> whole;
};
struct SiteOptions {
  std::set<std::string> excluded;  // names of layers that stay in float
  // Element-wise and moving operators between integer layers run in integers too.
  bool chains = true;
  // What a layer makes is rounded too (behind its bias and its activation), whoever reads it: for
  // runtimes whose integer layers have no float results.
  bool outputs = false;
};
QuantSites find_sites(Graph& graph, const SiteOptions& options);

// The multiply-adds of the listed layers and of all nodes. Needs known shapes; what has none counts
// as nothing.
struct MacShare {
  int64_t quantized = 0, total = 0;
  double share() const {
    return total == 0 ? 0 : static_cast<double>(quantized) / static_cast<double>(total);
  }
};
MacShare mac_share(const Graph& graph, const std::set<std::string>& layers);

}  // namespace edgewright
