#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace edgewright {

// One step of a computation that may run on any of several tiers (0: the device that holds the
// input; the last: the cloud).
struct SplitLayer {
  std::string name;
  std::vector<double> time_us;  // on each tier
  double result_bytes = 0;      // of this layer's outputs that the device wants back
  double weight_bytes = 0;      // parameters that a tier must hold to run it
  double energy_mj = 0;         // that it costs the device to run it
};

// What a layer makes for others. However many consumers it has, it crosses a hop once.
struct SplitTensor {
  std::string name;
  size_t producer = 0;
  std::vector<size_t> consumers;  // each after the producer
  double size_bytes = 0;          // as sent
};

// The way from a tier to the next.
struct SplitHop {
  double us_per_byte = 0;
  double us_per_result_byte = 0;  // of the way back
  double fixed_us = 0;            // once, when anything lies beyond the hop
  double mj_per_byte = 0;         // that sending costs the device (the first hop only)
  double price_per_byte = 0;      // sent, not counting results
};

// Layers in topological order. Layer 0 is the input: no work, always on tier 0.
struct SplitProblem {
  std::vector<SplitLayer> layers;
  std::vector<SplitTensor> tensors;
  std::vector<SplitHop> hops;      // one fewer than tiers
  double server_price_per_us = 0;  // of every tier but the device's, while it works

  size_t tiers() const { return hops.size() + 1; }
};

// The tier of every layer. Data never comes back before the end: a consumer's tier is at least its
// producer's.
using Placement = std::vector<uint8_t>;

// What a placement costs: the latency of one request is
//   sum over tiers of their layers' times
//   + sum over hops in use of fixed + bytes x time per byte + result bytes x time per result byte.
struct SplitCost {
  double latency_us = 0;
  double bottleneck_us = 0;  // of a pipeline of many requests: its slowest tier or hop
  std::vector<double> tier_us;
  std::vector<double> hop_us;      // fixed part and results included
  std::vector<double> sent_bytes;  // over each hop, results not included
  std::vector<std::vector<size_t>> sent_tensors;
  double device_weight_bytes = 0;
  double device_energy_mj = 0;
  double price = 0;
};

// Every broken rule of a well-formed problem, in words.
std::vector<std::string> violations(const SplitProblem& problem);
// Whether the placement sends nothing back.
bool is_allowed(const SplitProblem& problem, const Placement& placement);
SplitCost cost_of(const SplitProblem& problem, const Placement& placement);

// The name of the last layer on tier 0; "input" when that is all, "output" when everything is.
std::string cut_name(const SplitProblem& problem, const Placement& placement);

// Tier t runs the layers from ends[t - 1] up to ends[t]; ends has one entry a hop.
Placement linear_placement(size_t layers, const std::vector<size_t>& ends);

}  // namespace edgewright
