#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace edgewright {

// Which operators the result may hold: only ai.onnx, or the com.microsoft fused ones too; the plan
// dialect adds the operators of domain "edgewright" that only our own engine runs.
enum class Dialect : uint8_t { kStandard, kOrt, kPlan };

struct PassOptions {
  Dialect dialect = Dialect::kStandard;
  // Constant folding never makes one constant larger than this while its inputs are smaller.
  int64_t fold_growth_limit_bytes = 1 << 20;
  // Rewrites that change results beyond rounding (GELU approximations); off unless asked for.
  bool lossy = false;
  int target_opset = kCanonicalOpset;  // operators younger than this are not made
};

// What a pass may use besides the graph.
struct PassContext {
  const TypeInferer& types;
  Evaluator& evaluator;
  PassOptions options;
};

// One rewrite. run() changes the graph (subgraphs included) where its conditions hold and says
// whether it changed anything; it keeps no state. It leaves every value with its type.
struct Pass {
  std::string_view name;     // verb_object
  std::string_view summary;  // one line for --list-passes
  Dialect dialect;           // runs when the output dialect includes this one
  bool lossy = false;
  Result<bool> (*run)(Graph& graph, PassContext& context) = nullptr;
};

// The ordered pipeline; the passes between two marks repeat until nothing changes.
std::span<const Pass> optimisation_passes();

}  // namespace edgewright
