// Before: MatMul(a, b) + c with matrices a and b.      After: Gemm(a, b, c).
// Conditions: the product is used here only; c broadcasts to it; an element type that Gemm takes.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

bool gemm_takes(DType dtype) {
  return is_floating_point(dtype) || dtype == DType::kInt32 || dtype == DType::kInt64 ||
         dtype == DType::kUint32 || dtype == DType::kUint64;
}

bool is_matrix_product(const Node* node) {
  return node != nullptr && rank_of(node->input(0)) == 2 && rank_of(node->input(1)) == 2 &&
         gemm_takes(dtype_of(node->input(0)));
}

}  // namespace

Result<bool> fuse_matmul_add(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Add", [&](Graph& owner, Node& node) -> Result<bool> {
    for (const size_t side : {size_t{0}, size_t{1}}) {
      const Node* product = producer(node.input(side), "MatMul");
      if (node.domain != "" || !is_matrix_product(product) || product->graph != &owner) continue;
      Value* addend = node.input(1 - side);
      const auto rank = rank_of(addend);
      if (!has_single_use(node.input(side)) || !rank || *rank > 2) continue;
      if (!same_shape(node.input(side), node.output(0)) || !context.allow(node)) continue;
      replace_node(context, &node, "Gemm", {product->inputs[0], product->inputs[1], addend});
      return true;
    }
    return false;
  });
}

}  // namespace edgewright
