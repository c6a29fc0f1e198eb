// Before: y = Reshape(Gemm(Reshape(x, [-1, k]), w, b), [x's leading axes, n]).
// After:  y = Add(MatMul(x, w), b), where x keeps its leading axes and lays its last ones flat.
// Conditions: alpha and beta are 1, nothing transposed; b has one row. Attention and the other
// patterns are written with this form.
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"
#include "passes/shape_relations.h"

namespace edgewright {
namespace {

bool is_plain(const Node& gemm) {
  const Attributes& a = gemm.attributes;
  return a.get_float("alpha", 1) == 1 && a.get_float("beta", 1) == 1 &&
         a.get_int("transA", 0) == 0 && a.get_int("transB", 0) == 0;
}

bool has_one_row(const Value* bias) {
  return bias == nullptr || rank_of(bias) == size_t{1} ||
         (rank_of(bias) == size_t{2} && known_dim(bias, 0) == 1);
}

// Whether the axes before the last one of y are the first axes of x, and the rest of x are the k
// columns of the product.
bool keeps_leading_axes(const Node& back, const Node& flat, const Value* x, const Value* w) {
  const size_t rank = rank_of(back.output(0)).value_or(0), x_rank = rank_of(x).value_or(0);
  if (rank < 3 || x_rank < rank || known_dim(back.output(0), rank - 1) != known_dim(w, 1)) {
    return false;
  }
  for (size_t i = 0; i + 1 < rank; ++i) {
    if (!reshapes_to_dim(back, i, x, i)) return false;
  }
  int64_t columns = 1;
  for (size_t i = rank - 1; i < x_rank; ++i) {
    const auto dim = known_dim(x, i);
    if (!dim || *dim <= 0 || *dim > (int64_t{1} << 31)) return false;
    if (__builtin_mul_overflow(columns, *dim, &columns)) return false;
  }
  return known_dim(flat.output(0), 1) == columns && known_dim(w, 0) == columns;
}

// x with its last axes laid flat.
Value* flattened(PassContext& context, Graph& graph, Node* before, Value* x, size_t rank,
                 int64_t columns) {
  if (rank_of(x) == rank) return x;
  std::vector<int64_t> target(rank, 0);
  target.back() = columns;
  Value* shape = add_int_constant(graph, "shape", target);
  return insert_node(context, graph, before, "Reshape", {x, shape}, x->name)->output(0);
}

}  // namespace

Result<bool> rewrite_flattened_gemm(Graph& graph, PassContext& context) {
  static const Pattern* const kFlattened = new Pattern(R"(
      f = &Reshape(x, to);
      p = Gemm(f, w, b?);
      Reshape(p, back))");
  return rewrite_nodes(graph, "Reshape", [&](Graph& owner, Node& node) -> Result<bool> {
    const Match match = kFlattened->match(node);
    if (!match) return false;
    Value *x = match["x"], *w = match["w"], *bias = match["b"];
    if (!is_plain(*match.node("p")) || !has_one_row(bias) || rank_of(w) != size_t{2} ||
        rank_of(match["f"]) != size_t{2} || !keeps_leading_axes(node, *match.node("f"), x, w)) {
      return false;
    }
    if (!context.allow(node)) return false;
    const size_t rank = *rank_of(node.output(0));
    Value* source = flattened(context, owner, &node, x, rank, *known_dim(w, 0));
    if (bias == nullptr) {
      replace_node(context, &node, "MatMul", {source, w});
    } else {
      Node* product = insert_node(context, owner, &node, "MatMul", {source, w}, match["p"]->name);
      replace_node(context, &node, "Add", {product->output(0), bias});
    }
    return true;
  });
}

}  // namespace edgewright
