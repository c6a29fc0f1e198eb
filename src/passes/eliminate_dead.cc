// Before: nodes and constants that no graph output needs.      After: they are gone.
// Every operator is pure, so what nobody reads may go; trailing optional outputs that nobody reads
// are left out too.
#include <algorithm>
#include <array>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// Operators whose outputs but the first are optional.
constexpr std::array<std::string_view, 9> kOptionalOutputs = {
    "MaxPool", "Dropout", "LayerNormalization", "LSTM",     "GRU",
    "RNN",     "Unique",  "BatchNormalization", "Attention"};

bool drop_unused_outputs(Graph& graph, Node& node) {
  const bool optional = std::ranges::find(kOptionalOutputs, node.op) != kOptionalOutputs.end();
  if (node.domain != "" || !optional) return false;
  bool changed = false;
  while (node.outputs.size() > 1) {
    const Value* last = node.outputs.back();
    if (last != nullptr && (!last->uses.empty() || last->is_graph_output())) break;
    graph.drop_node_output(&node, node.outputs.size() - 1);
    changed = true;
  }
  return changed;
}

}  // namespace

Result<bool> eliminate_dead(Graph& graph, PassContext&) {
  const bool removed = graph.remove_dead() > 0;
  auto dropped = rewrite_nodes(graph, "", [](Graph& owner, Node& node) -> Result<bool> {
    return drop_unused_outputs(owner, node);
  });
  EDGEWRIGHT_TRY(dropped);
  return removed || *dropped;
}

}  // namespace edgewright
