// Before: Gemm or MatMul of matrices, a factor of which is Transpose(x).
// After: Gemm with transA or transB the other way round, of x.
// Conditions: matrices (rank 2); an element type that Gemm takes.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

Node* matrix_transpose(const Value* value) {
  Node* transpose = producer(value, "Transpose");
  if (transpose == nullptr || rank_of(value) != 2) return nullptr;
  return permutation_of(*transpose, 2) == std::vector<int64_t>{1, 0} ? transpose : nullptr;
}

}  // namespace

Result<bool> fuse_gemm_transposes(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph&, Node& node) -> Result<bool> {
    if (!node.is("Gemm") && !node.is("MatMul")) return false;
    if (rank_of(node.input(0)) != 2 || rank_of(node.input(1)) != 2) return false;
    if (!is_floating_point(dtype_of(node.inputs[0]))) return false;
    std::vector<Value*> inputs = node.inputs;
    Attributes attributes = node.attributes;
    bool found = false;
    constexpr std::string_view kFlags[] = {"transA", "transB"};
    for (size_t i = 0; i < 2; ++i) {
      const Node* transpose = matrix_transpose(inputs[i]);
      if (transpose == nullptr) continue;
      inputs[i] = transpose->inputs[0];
      const int64_t flag = attributes.get_int(kFlags[i], 0);
      attributes.set(std::string(kFlags[i]), int64_t{flag == 0 ? 1 : 0});
      found = true;
    }
    if (!found || !context.allow(node)) return false;
    replace_node(context, &node, "Gemm", std::move(inputs), std::move(attributes));
    return true;
  });
}

}  // namespace edgewright
