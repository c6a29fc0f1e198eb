#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "device/device.h"
#include "graph/graph.h"
#include "profile/cost_model.h"
#include "split/problem.h"

namespace edgewright {

// What a layer does, whoever does it.
struct LayerWork {
  std::string name;
  double flops = 0;        // a multiply-add counts as two
  double moved_bytes = 0;  // weights and inputs read, outputs written
  double weight_bytes = 0;
  double result_bytes = 0;
};

// A computation before anything is known of where it runs. Layer 0 is the input.
struct SplitWork {
  std::vector<LayerWork> layers;
  std::vector<SplitTensor> tensors;
  std::vector<std::string> assumptions;
};

// How quickly a tier works: a layer takes the larger of flops / rate and bytes / bandwidth.
struct TierSpeed {
  std::string name;
  double flops_per_s = 0;
  double bytes_per_s = 0;  // 0: memory is not the limit
  double power_mw = 0;     // while it works; 0: not known
  // With roofs a graph's nodes take what the cost model of src/profile says.
  std::optional<Roofs> roofs;

  double time_us(const LayerWork& work) const;
};

// "0.5TFLOP/s" or "500GFLOP/s,25GB/s"; "peak=5e11,bandwidth=25e9,..." (parse_roofs); or a device of
// the catalogue or of a file. kUnsupported for a device without peaks or bandwidth.
Result<TierSpeed> tier_speed(const std::string& text);
// All cores at work.
TierSpeed speed_of(const Roofs& roofs);

// The problem for these tiers.
SplitProblem timed(const SplitWork& work, const std::vector<TierSpeed>& tiers,
                   const std::vector<SplitHop>& hops);

// The nodes of a graph as layers: every node whose result depends on an input, in order; the others
// are worked out wherever they are needed. `nodes[i]` is layer i (null for the input). kUnsupported
// when the size of a value is unknown or it is no tensor, naming it.
struct GraphWork {
  SplitWork work;
  std::vector<const Node*> nodes;
};
Result<GraphWork> graph_work(const Graph& graph);
// With the times of tiers that have roofs from the cost model, node by node.
SplitProblem timed(const Graph& graph, const GraphWork& work, const std::vector<TierSpeed>& tiers,
                   const std::vector<SplitHop>& hops);

// A transformer by its shape:
// "layers=20,width=768,tokens=197,ffn=3072,heads=12,patch=16,classes=1000": a vision transformer
// (Dosovitskiy et al., ICLR 2021) on images of patch^2 x (tokens - 1) pixels; ffn is 4 x width
// where it is missing. One layer a block, beside embedding and head. float32.
Result<SplitWork> transformer_work(std::string_view text);

// Sizes that the input may have when it is sent.
//   "tensor": as the model takes it; "raw": one byte an element; "jpeg": 1.5 bits a pixel of three
//   elements, "excellent quality" in Wallace, "The JPEG still picture compression standard", CACM
//   1991; or a number of bytes.
Result<double> input_bytes(std::string_view form, double element_count, double tensor_bytes);

}  // namespace edgewright
