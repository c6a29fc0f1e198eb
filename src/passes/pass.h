#pragma once

#include <set>
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

// Every single rewrite of a pass asks here first, so that the wrapper can repeat a pass with fewer
// rewrites and find the one that breaks a model.
class RewriteGate {
 public:
  // Asked when all conditions hold, right before the graph changes, with the node at the centre of
  // the rewrite. False: leave that place as it is.
  bool allow(const Node& node);

  // For the wrapper.
  void restart(size_t limit) {
    limit_ = limit;
    granted_ = 0;
  }
  void block(std::string key) { blocked_.insert(std::move(key)); }
  size_t granted() const { return granted_; }
  // The rewrite granted last: its key for block(), and the node in words.
  const std::string& last_key() const { return last_key_; }
  const std::string& last_node() const { return last_node_; }

 private:
  size_t limit_ = static_cast<size_t>(-1);
  size_t granted_ = 0;
  std::set<std::string> blocked_;
  std::string last_key_, last_node_;
};

// What a pass may use besides the graph.
struct PassContext {
  const TypeInferer& types;
  Evaluator& evaluator;
  PassOptions options;
  RewriteGate gate = {};

  bool allow(const Node& node) { return gate.allow(node); }
  // Whether operators of the dialect may be made.
  bool may_use(Dialect dialect) const { return options.dialect >= dialect; }
  // Whether a standard operator that ai.onnx has since `opset` may be made.
  bool may_use_opset(int opset) const { return options.target_opset >= opset; }
};

using PassFunction = Result<bool> (*)(Graph& graph, PassContext& context);

// One rewrite. run() changes the graph (subgraphs included) where its conditions hold and says
// whether it changed anything; it keeps no state, and asks context.allow() before each single
// rewrite. It leaves every value with its type. Dead nodes and constants may stay behind: the
// wrapper removes them.
struct Pass {
  std::string_view name;     // verb_object
  std::string_view summary;  // one line for --list-passes
  PassFunction run = nullptr;
  Dialect dialect = Dialect::kStandard;  // runs when the output dialect includes this one
  bool lossy = false;                    // runs only with PassOptions::lossy
};

// Passes that belong together, in order; the stage repeats until nothing changes.
struct Stage {
  std::string_view name;
  std::vector<Pass> passes;
};

// The ordered pipeline.
const std::vector<Stage>& optimisation_stages();

}  // namespace edgewright
