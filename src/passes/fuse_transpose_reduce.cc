// Before: ReduceX(Transpose(x, p), axes), dimensions dropped, what remains in x's order.
// After: ReduceX(x, p[axes]).
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> fuse_transpose_reduce(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    if (node.domain != "" || !node.op.starts_with("Reduce") || node.input(1) == nullptr)
      return false;
    Node* transpose = producer(node.input(0), "Transpose");
    const auto rank = rank_of(node.input(0));
    const auto given = int_constant(node.input(1));
    if (transpose == nullptr || transpose->graph != &owner || !rank || !given) return false;
    const auto axes = normalised_axes(*given, *rank);
    if (!axes || axes->empty() || node.attributes.get_int("keepdims", 1) != 0) return false;
    const auto permutation = permutation_of(*transpose, *rank);
    std::vector<int64_t> reduced, kept;
    for (size_t i = 0; i < *rank; ++i) {
      const bool reduces = std::ranges::find(*axes, static_cast<int64_t>(i)) != axes->end();
      (reduces ? reduced : kept).push_back(permutation[i]);
    }
    if (!std::ranges::is_sorted(kept) || !context.allow(node)) return false;
    std::ranges::sort(reduced);
    owner.set_input(&node, 0, transpose->inputs[0]);
    owner.set_input(&node, 1, add_int_constant(owner, "axes", reduced));
    erase_if_dead(transpose);
    return true;
  });
}

}  // namespace edgewright
