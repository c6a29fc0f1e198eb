// Before: y = x/2 (1 + erf(x / sqrt 2)), or its tanh form with sqrt(2/pi) (x + 0.044715 x^3).
// After:  y = Gelu(x); FastGelu(x) for the tanh form where ai.onnx has no Gelu yet (opset 20).
// Source of the formulas: Hendrycks and Gimpel, "Gaussian Error Linear Units".
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> fuse_gelu(Graph& graph, PassContext& context) {
  static const Pattern* const kGelu = new Pattern(R"(
      cube = [Pow(x, 3) | Mul(x, Mul(x, x))];
      inner = [Mul(Add(x, Mul(cube, 0.044715)), 0.7978846)
             | Mul(Mul(x, 0.7978846), Add(Mul(x, Mul(x, 0.044715)), 1))
             | Mul(Mul(x, 0.7978846), Add(Mul(Mul(x, x), 0.044715), 1))
             | Mul(x, Add(Mul(Mul(x, x), 0.0356774), 0.7978846))];
      e = [Erf([Div(x, 1.4142136) | Mul(x, 0.70710678)]) | Tanh(inner)];
      g = Add(e, 1);
      [Mul(Mul(x, 0.5), g) | Mul(Mul(x, g), 0.5) | Mul(x, Mul(g, 0.5)) | Div(Mul(x, g), 2)])");
  const bool standard = context.may_use_opset(20);
  if (!standard && !context.may_use(Dialect::kOrt)) return false;
  return rewrite_nodes(graph, "", [&](Graph&, Node& node) -> Result<bool> {
    if (!node.is("Mul") && !node.is("Div")) return false;
    const Match match = kGelu->match(node);
    if (!match || !is_floating_point(dtype_of(match["x"])) || !context.allow(node)) return false;
    const bool tanh = match.node("e")->op == "Tanh";
    if (standard) {
      Attributes attributes;
      if (tanh) attributes.set("approximate", std::string("tanh"));
      replace_node(context, &node, "Gelu", {match["x"]}, std::move(attributes));
    } else {
      replace_node(context, &node, tanh ? "FastGelu" : "Gelu", {match["x"]}, {}, kMicrosoft);
    }
    return true;
  });
}

}  // namespace edgewright
