// Before: y = Conv(x, w, b) + z, z of the shape of y.
// After:  y = FusedConv(x, w, b, z) of com.microsoft.
// Conditions: float32, two-dimensional convolution; a constant z is left to the folding into b.
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> fuse_conv_residual(Graph& graph, PassContext& context) {
  static const Pattern* const kResidual = new Pattern("c = Conv(x, w, b?); Add(c, z)");
  return rewrite_nodes(graph, "Add", [&](Graph&, Node& node) -> Result<bool> {
    const Match match = kResidual->match(node);
    if (!match) return false;
    Value* z = match["z"];
    if (z->is_constant() || dtype_of(z) != DType::kFloat32 || rank_of(z) != size_t{4} ||
        !same_shape(z, match["c"]) || !context.allow(node)) {
      return false;
    }
    replace_node(context, &node, "FusedConv", {match["x"], match["w"], match["b"], z},
                 match.node("c")->attributes, kMicrosoft);
    return true;
  });
}

}  // namespace edgewright
