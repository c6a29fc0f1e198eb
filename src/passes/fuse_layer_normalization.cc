// Before: d = x - mean(x); y = d / sqrt(mean(d^2) + e) [* g] [+ b], means over the last axes.
// After:  y = LayerNormalization(x, g, b, axis, epsilon=e); ai.onnx 17, in the ort dialect any.
// Conditions: g and b have the shape of the normalised axes. A Cast of x to float32 before and back
// after the division is what LayerNormalization does inside (stash_type 1).
// Source of the formula: Ba, Kiros and Hinton, "Layer Normalization".
#include "passes/normalization.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

Result<bool> fuse(PassContext& context, Graph& graph, Node& root, const Match& match) {
  const Node* mean = match.node("m");
  const Node* variance = match.node("v");
  if (int_constant(mean->input(1)) != int_constant(variance->input(1)) ||
      variance->attributes.get_int("keepdims", 1) == 0) {
    return false;
  }
  const auto found = read_normalization(root, match, true);
  if (!found || !context.allow(root)) return false;
  Value* scale = found->scale;
  if (scale == nullptr) {
    EDGEWRIGHT_ASSIGN(scale, add_unit_scale(graph, *found));
  }
  if (scale == nullptr) return false;
  replace_node(context, &root, "LayerNormalization", {found->x, scale, found->shift},
               make_attributes({{"axis", found->axis}, {"epsilon", found->epsilon}}));
  return true;
}

}  // namespace

Result<bool> fuse_layer_normalization(Graph& graph, PassContext& context) {
  static const Pattern* const kLayer = new Pattern(R"(
      m = ReduceMean(x, #axes);
      d = Sub(x, m);
      square = [Pow(Cast?(d), 2) | Mul(d, d)];
      v = ReduceMean(square, #axes2);
      deviation = [Sqrt(Add(v, #e)) | Pow(Add(v, #e), 0.5)];
      n = [Div(d, deviation) | Mul(d, Reciprocal(deviation)) | Mul(d, Div(1, deviation))];
      [Add(Mul(Cast?(n), g), b) | Mul(Cast?(n), g) | Cast?(n)])");
  if (!context.may_use_opset(17) && !context.may_use(Dialect::kOrt)) return false;
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    if (!node.is("Add") && !node.is("Mul") && !node.is("Div")) return false;
    const Match match = kLayer->match(node);
    if (!match) return false;
    return fuse(context, owner, node, match);
  });
}

}  // namespace edgewright
