// Before: y = c MatMul(a, b), or MatMul(c a, b), MatMul(a, c b), MatMul / c; c a constant number.
// After:  y = FusedMatMul(a, b, alpha=c) of com.microsoft.
// Conditions: float16, bfloat16 or float32; the scaled factor has no other uses.
#include <cmath>

#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

bool is_product(const Node& node) {
  return node.is("MatMul") || node.is("FusedMatMul", kMicrosoft);
}

bool is_scalable(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBfloat16;
}

// x = match["x"] times this; empty when the constant is no usable number.
std::optional<double> factor_of(const Node& scaling, const Match& match) {
  const Value* constant = match["c"];
  const auto number = scalar_constant(constant);
  if (!number || constant->constant->rank() > rank_of(match["x"]).value_or(0)) return std::nullopt;
  const double factor = scaling.op == "Div" ? 1.0 / *number : *number;
  if (!std::isfinite(factor) || factor == 0) return std::nullopt;
  return factor;
}

Attributes scaled(const Node& product, double factor) {
  Attributes attributes = product.attributes;
  const double alpha = attributes.get_float("alpha", 1.0f);
  attributes.set("alpha", static_cast<float>(alpha * factor));
  return attributes;
}

const Pattern& scaling_pattern() {
  static const Pattern* const kScaled = new Pattern("[Mul(x, #c) | Div(x, #c)]");
  return *kScaled;
}

bool scale_inputs(PassContext& context, Node& product) {
  double factor = 1;
  std::vector<Value*> inputs = product.inputs;
  for (Value*& input : inputs) {
    Node* scaling = has_single_use(input) ? input->producer : nullptr;
    const Match match = scaling == nullptr ? Match() : scaling_pattern().match(*scaling);
    const auto found = match ? factor_of(*scaling, match) : std::nullopt;
    if (!found) continue;
    factor *= *found;
    input = match["x"];
  }
  if (inputs == product.inputs || !context.allow(product)) return false;
  replace_node(context, &product, "FusedMatMul", inputs, scaled(product, factor), kMicrosoft);
  return true;
}

bool scale_output(PassContext& context, Node& scaling) {
  const Match match = scaling_pattern().match(scaling);
  if (!match || !has_single_use(match["x"]) || match["x"]->producer == nullptr) return false;
  const Node& product = *match["x"]->producer;
  const auto factor = factor_of(scaling, match);
  if (!is_product(product) || product.graph != scaling.graph || !factor ||
      !context.allow(scaling)) {
    return false;
  }
  replace_node(context, &scaling, "FusedMatMul", product.inputs, scaled(product, *factor),
               kMicrosoft);
  return true;
}

}  // namespace

Result<bool> fuse_matmul_scale(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph&, Node& node) -> Result<bool> {
    if (!is_scalable(dtype_of(node.output(0)))) return false;
    return is_product(node) ? scale_inputs(context, node) : scale_output(context, node);
  });
}

}  // namespace edgewright
