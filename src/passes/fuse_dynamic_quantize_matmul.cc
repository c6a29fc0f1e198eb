// Before: q, s, z = DynamicQuantizeLinear(a); y = Cast(MatMulInteger(q, b, z, bz)) * (s * bs) [+
// c]. After:  y = DynamicQuantizeMatMul(a, b, bs, bz, c) of com.microsoft; where q has other uses,
//         y = MatMulIntegerToFloat(q, b, s, bs, z, bz, c).
// Conditions: b a matrix; bs and bz scalars or one number per column; c one number per column.
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// One number, or one per column of b.
bool fits_columns(const Value* value, const Value* b) {
  const auto dims = static_dims(value);
  if (!dims || dims->size() > 1) return false;
  const Dim& columns = (*b->type.shape)[1];
  return dims->empty() || (*dims)[0] == 1 || (columns.is_known() && (*dims)[0] == columns.value);
}

bool is_column_bias(const Value* value, const Value* b) {
  return rank_of(value) == size_t{1} && (*b->type.shape)[1].is_known() &&
         (*value->type.shape)[0] == (*b->type.shape)[1];
}

bool holds(const Match& match) {
  const Value *b = match["b"], *zero = match["bz"], *bias = match["c"];
  const Node* quantize = match.node("q");
  return rank_of(b) == size_t{2} && dtype_of(match["f"]) == DType::kFloat32 &&
         match.node("s") == quantize && match.node("z") == quantize &&
         fits_columns(match["bs"], b) && (zero == nullptr || fits_columns(zero, b)) &&
         (bias == nullptr || is_column_bias(bias, b));
}

}  // namespace

Result<bool> fuse_dynamic_quantize_matmul(Graph& graph, PassContext& context) {
  static const Pattern* const kQuantized = new Pattern(R"(
      q = &DynamicQuantizeLinear(a);
      s = &DynamicQuantizeLinear:1(a);
      z = &DynamicQuantizeLinear:2(a);
      f = Cast(MatMulInteger(q, b, z, bz?));
      y = Mul(f, Mul(s, bs));
      [y | Add(y, c)])");
  return rewrite_nodes(graph, "", [&](Graph&, Node& node) -> Result<bool> {
    if (!node.is("Mul") && !node.is("Add")) return false;
    const Match match = kQuantized->match(node);
    if (!match || !holds(match)) return false;
    // The bias joins in: wait for the addition.
    if (const Node* user = single_user(node.output(0)); node.op == "Mul" && user != nullptr) {
      const Value* other = user->input(user->input(0) == node.output(0) ? 1 : 0);
      if (user->is("Add") && is_column_bias(other, match["b"])) return false;
    }
    if (!context.allow(node)) return false;
    const bool shared = !has_single_use(match["q"]);
    if (shared) {
      replace_node(
          context, &node, "MatMulIntegerToFloat",
          {match["q"], match["b"], match["s"], match["bs"], match["z"], match["bz"], match["c"]},
          {}, kMicrosoft);
    } else {
      replace_node(context, &node, "DynamicQuantizeMatMul",
                   {match["a"], match["b"], match["bs"], match["bz"], match["c"]}, {}, kMicrosoft);
    }
    return true;
  });
}

}  // namespace edgewright
