// Before: y = Sum(Gemm(a, b), c) with two terms.
// After:  y = Gemm(a, b, c, beta=1).
// Conditions: the Gemm has no c yet; c broadcasts to its result.
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"
#include "passes/shape_relations.h"

namespace edgewright {
namespace {

// Whether c broadcasts to the matrix without enlarging it.
bool broadcasts_to(const Value* c, const Value* matrix) {
  const auto rank = rank_of(c);
  if (!rank || *rank > 2) return false;
  for (size_t i = 0; i < *rank; ++i) {
    const size_t axis = 2 - *rank + i;
    if (known_dim(c, i) != 1 && !same_dim(c, i, matrix, axis)) return false;
  }
  return true;
}

}  // namespace

Result<bool> fuse_gemm_sum(Graph& graph, PassContext& context) {
  static const Pattern* const kSum = new Pattern("p = Gemm(a, b); Sum(p, c)");
  return rewrite_nodes(graph, "Sum", [&](Graph&, Node& node) -> Result<bool> {
    if (node.inputs.size() != 2) return false;
    const Match match = kSum->match(node);
    if (!match || !broadcasts_to(match["c"], match["p"]) || !context.allow(node)) return false;
    Attributes attributes = match.node("p")->attributes;
    attributes.set("beta", 1.0f);
    replace_node(context, &node, "Gemm", {match["a"], match["b"], match["c"]},
                 std::move(attributes));
    return true;
  });
}

}  // namespace edgewright
