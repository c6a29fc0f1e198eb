// Before: y = Transpose(Gemm(a, b)).
// After:  y = Gemm(b, a) with transA and transB the other way round: (a b)^T = b^T a^T.
// Conditions: no c, or one that is a single number.
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> rewrite_transposed_gemm(Graph& graph, PassContext& context) {
  static const Pattern* const kTransposed = new Pattern("p = Gemm(a, b, c?); Transpose(p)");
  return rewrite_nodes(graph, "Transpose", [&](Graph&, Node& node) -> Result<bool> {
    const Match match = kTransposed->match(node);
    if (!match || permutation_of(node, 2) != std::vector<int64_t>{1, 0}) return false;
    if (match["c"] != nullptr && rank_of(match["c"]) != size_t{0}) return false;
    if (!context.allow(node)) return false;
    Attributes attributes = match.node("p")->attributes;
    const int64_t a = attributes.get_int("transA", 0), b = attributes.get_int("transB", 0);
    attributes.set("transA", int64_t{b == 0});
    attributes.set("transB", int64_t{a == 0});
    replace_node(context, &node, "Gemm", {match["b"], match["a"], match["c"]},
                 std::move(attributes));
    return true;
  });
}

}  // namespace edgewright
