// Before: y = x / sqrt(mean(x^2) + e) [* g], the mean over the last axes.
// After:  y = RMSNormalization(x, g, axis, epsilon=e) (ai.onnx 23); in the ort dialect at an older
//         opset SimplifiedLayerNormalization, which ONNX Runtime keeps in the domain ai.onnx.
// Conditions: as for fuse_layer_normalization.
// Source of the formula: Zhang and Sennrich, "Root Mean Square Layer Normalization".
#include "passes/normalization.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {

Result<bool> fuse_rms_normalization(Graph& graph, PassContext& context) {
  static const Pattern* const kRms = new Pattern(R"(
      m = ReduceMean([Pow(x, 2) | Mul(x, x)], #axes);
      deviation = [Sqrt(Add(m, #e)) | Pow(Add(m, #e), 0.5)];
      n = [Div(x, deviation) | Mul(x, Reciprocal(deviation)) | Mul(x, Div(1, deviation))];
      [Mul(Cast?(n), g) | Cast?(n)])");
  const bool standard = context.may_use_opset(23);
  if (!standard && !context.may_use(Dialect::kOrt)) return false;
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    if (!node.is("Mul") && !node.is("Div")) return false;
    const Match match = kRms->match(node);
    if (!match) return false;
    const auto found = read_normalization(node, match, false);
    if (!found || !context.allow(node)) return false;
    Value* scale = found->scale;
    if (scale == nullptr) {
      EDGEWRIGHT_ASSIGN(scale, add_unit_scale(owner, *found));
    }
    if (scale == nullptr) return false;
    replace_node(context, &node, standard ? "RMSNormalization" : "SimplifiedLayerNormalization",
                 {found->x, scale},
                 make_attributes({{"axis", found->axis}, {"epsilon", found->epsilon}}));
    return true;
  });
}

}  // namespace edgewright
