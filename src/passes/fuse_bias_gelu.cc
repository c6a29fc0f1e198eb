// Before: y = Gelu(a + b) or FastGelu(a + b), b a vector along the last axis.
// After:  y = BiasGelu(a, b) or FastGelu(a, b) of com.microsoft.
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// A vector as long as the last axis of x.
bool is_bias_of(const Value* bias, const Value* x) {
  const auto rank = rank_of(x);
  return rank_of(bias) == size_t{1} && rank.value_or(0) >= 1 && (*bias->type.shape)[0].is_known() &&
         (*bias->type.shape)[0] == (*x->type.shape)[*rank - 1];
}

bool is_tanh(const Node& node) {
  return node.op == "FastGelu" || node.attributes.get_string("approximate", "none") == "tanh";
}

}  // namespace

Result<bool> fuse_bias_gelu(Graph& graph, PassContext& context) {
  // Our own engine takes bias and activation into the matrix product instead.
  if (context.options.dialect == Dialect::kPlan) return false;
  static const Pattern* const kBiasGelu =
      new Pattern("Gelu|com.microsoft::Gelu|com.microsoft::FastGelu(Add(a, b))");
  return rewrite_nodes(graph, "", [&](Graph&, Node& node) -> Result<bool> {
    const Match match = kBiasGelu->match(node);
    if (!match) return false;
    Value *x = match["a"], *bias = match["b"];
    if (is_bias_of(x, bias) && !is_bias_of(bias, x)) std::swap(x, bias);
    if (!is_bias_of(bias, x) || !context.allow(node)) return false;
    replace_node(context, &node, is_tanh(node) ? "FastGelu" : "BiasGelu", {x, bias}, {},
                 kMicrosoft);
    return true;
  });
}

}  // namespace edgewright
