// Before: Transpose(Transpose(x, p), q).      After: Transpose(x, r) with r[i] = p[q[i]], or x
// where r is the identity.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> fuse_transposes(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Transpose", [&](Graph& owner, Node& node) -> Result<bool> {
    Node* inner = producer(node.input(0), "Transpose");
    const auto rank = rank_of(node.input(0));
    if (inner == nullptr || inner->graph != &owner || !rank) return false;
    const auto p = permutation_of(*inner, *rank), q = permutation_of(node, *rank);
    std::vector<int64_t> r;
    for (const int64_t axis : q) r.push_back(p[static_cast<size_t>(axis)]);
    if (!context.allow(node)) return false;
    if (std::ranges::is_sorted(r) && replace_value(node.outputs[0], inner->inputs[0])) {
      erase_if_dead(&node);
      return true;
    }
    node.attributes.set("perm", r);
    owner.set_input(&node, 0, inner->inputs[0]);
    erase_if_dead(inner);
    return true;
  });
}

}  // namespace edgewright
