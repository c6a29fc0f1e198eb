// Before: ReduceMean over all spatial axes, dimensions kept.      After: GlobalAveragePool.
// Conditions: rank 4 or 5, floating point, constant axes.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> rewrite_reduce_mean(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "ReduceMean", [&](Graph&, Node& node) -> Result<bool> {
    const auto rank = rank_of(node.input(0));
    const auto given = int_constant(node.input(1));
    if (node.domain != "" || !rank || *rank < 4 || *rank > 5 || !given) return false;
    if (node.attributes.get_int("keepdims", 1) == 0) return false;
    const DType dtype = dtype_of(node.input(0));
    if (dtype != DType::kFloat32 && dtype != DType::kFloat16 && dtype != DType::kFloat64)
      return false;
    auto axes = normalised_axes(*given, *rank);
    if (!axes || axes->size() != *rank - 2) return false;
    std::ranges::sort(*axes);
    for (size_t i = 0; i < axes->size(); ++i) {
      if ((*axes)[i] != static_cast<int64_t>(i + 2)) return false;
    }
    if (!context.allow(node)) return false;
    replace_node(context, &node, "GlobalAveragePool", {node.inputs[0]});
    return true;
  });
}

}  // namespace edgewright
