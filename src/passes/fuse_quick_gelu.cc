// Before: y = x sigmoid(a x), a a constant or absent.
// After:  y = Swish(x, alpha=a) (ai.onnx 24), else com.microsoft::QuickGelu(x, alpha=a).
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> fuse_quick_gelu(Graph& graph, PassContext& context) {
  static const Pattern* const kSwish = new Pattern("Mul(x, Sigmoid([Mul(x, #a) | x]))");
  const bool standard = context.may_use_opset(24);
  if (!standard && !context.may_use(Dialect::kOrt)) return false;
  return rewrite_nodes(graph, "Mul", [&](Graph&, Node& node) -> Result<bool> {
    const Match match = kSwish->match(node);
    if (!match) return false;
    Value* x = match["x"];
    const Value* factor = match["a"];
    const auto alpha = factor == nullptr ? std::optional<double>(1.0) : scalar_constant(factor);
    if (!alpha || !same_shape(x, node.output(0)) || !context.allow(node)) return false;
    Attributes attributes = make_attributes({{"alpha", static_cast<float>(*alpha)}});
    replace_node(context, &node, standard ? "Swish" : "QuickGelu", {x}, std::move(attributes),
                 standard ? "" : kMicrosoft);
    return true;
  });
}

}  // namespace edgewright
