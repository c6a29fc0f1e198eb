#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "graph/graph.h"
#include "quantize/calibrate.h"

namespace edgewright {

struct LowFloatOptions {
  DType dtype = DType::kFloat16;   // or kBfloat16
  std::set<std::string> excluded;  // layers that stay in float32, by the value that they make
  // Only these become 16 bits, by the value that they make; absent: whatever may.
  std::optional<std::set<std::string>> only;
  // What was seen of values, where samples were there: numbers beyond half of the type's range keep
  // their makers and readers in float32.
  const Observations* observations = nullptr;
  int target_opset = kCanonicalOpset;  // bfloat16 Conv needs 22
};

struct LowFloatReport {
  std::map<std::string, std::string> kept;  // node that stays in float32 -> why
};

// Computes in float16 or bfloat16 where that is safe, in float32 elsewhere, with casts between.
// Inputs, outputs and everything that subgraphs see keep their types. Types must be inferred again.
LowFloatReport convert_low_float(Graph& graph, const LowFloatOptions& options);

// The same for layers of products with constant weights as it shows in their results, in float32
// arithmetic that runs quickly everywhere: weights and activations are rounded to the precision of
// the type (its range is not simulated).
void simulate_low_float(Graph& graph, const std::map<std::string, DType>& layers);

// Values of float32 whose numbers decide about their nodes.
std::vector<std::string> low_float_observed(Graph& graph);

}  // namespace edgewright
