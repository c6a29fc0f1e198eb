// Before: y = softmax(scale q k^T + mask) v for every head, k and v perhaps repeated for groups of
// query heads.
// After:  y = Attention(q, k, v, mask) {scale}, the keys and values not repeated.
// Conditions: the operator exists in the target opset; a positive scale; the mask has the queries
// and keys as its last axes. Not in the plan dialect, which has an operator of its own.
#include <algorithm>

#include "passes/attention_core.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

constexpr int kAttentionOpset = 23;

// Head h of the value is head h / n of the result: undoes Unsqueeze, Expand and Reshape.
Value* unrepeated(Value* value) {
  const Node* reshape = producer(value, "Reshape");
  const Node* expand = reshape == nullptr ? nullptr : producer(reshape->inputs[0], "Expand");
  const Node* unsqueeze = expand == nullptr ? nullptr : producer(expand->inputs[0], "Unsqueeze");
  if (unsqueeze == nullptr || int_constant(unsqueeze->input(1)) != std::vector<int64_t>{2}) {
    return value;
  }
  Value* source = unsqueeze->inputs[0];
  const auto from = static_dims(source), wide = static_dims(expand->output(0)),
             to = static_dims(value);
  if (!from || !wide || !to || from->size() != 4 || wide->size() != 5 || to->size() != 4) {
    return value;
  }
  const Dims expanded = {(*from)[0], (*from)[1], (*wide)[2], (*from)[2], (*from)[3]};
  const Dims merged = {(*from)[0], (*from)[1] * (*wide)[2], (*from)[2], (*from)[3]};
  return *wide == expanded && *to == merged ? source : value;
}

const Dim* dim_from_back(const Value* value, size_t position) {
  const auto rank = rank_of(value);
  return rank && position < *rank ? &(*value->type.shape)[*rank - 1 - position] : nullptr;
}

bool same(const Dim* a, const Dim* b) {
  return a != nullptr && b != nullptr && *a == *b && (a->is_known() || !a->symbol.empty());
}

bool mask_fits(const AttentionCore& core) {
  if (core.mask == nullptr) return true;
  const auto rank = rank_of(core.mask);
  return rank && *rank >= 2 && *rank <= 4 && dtype_of(core.mask) == dtype_of(core.q) &&
         same(dim_from_back(core.mask, 0), dim_from_back(core.scores, 0)) &&
         same(dim_from_back(core.mask, 1), dim_from_back(core.scores, 1));
}

// The keys as [batch, heads, sequence, size].
Value* keys_of(PassContext& context, Graph& graph, Node& product, const AttentionCore& core) {
  if (core.k != nullptr) return core.k;
  const std::vector<int64_t> swap = {0, 1, 3, 2};
  return insert_node(context, graph, &product, "Transpose", {core.k_transposed}, "keys",
                     make_attributes({{"perm", swap}}))
      ->outputs[0];
}

}  // namespace

Result<bool> fuse_attention(Graph& graph, PassContext& context) {
  if (!context.may_use_opset(kAttentionOpset) || context.options.dialect == Dialect::kPlan) {
    return false;
  }
  return rewrite_nodes(graph, "MatMul", [&](Graph& owner, Node& node) -> Result<bool> {
    const auto core = read_attention(node);
    if (!core || core->condition != nullptr || core->scale <= 0 || !mask_fits(*core)) return false;
    if (!is_floating_point(dtype_of(core->q)) || !context.allow(node)) return false;
    Value* keys = keys_of(context, owner, node, *core);
    Value* values = core->v;
    Value *few_keys = unrepeated(keys), *few_values = unrepeated(values);
    const auto key_dims = static_dims(few_keys), value_dims = static_dims(few_values);
    if (key_dims && value_dims && (*key_dims)[1] == (*value_dims)[1]) {
      keys = few_keys;
      values = few_values;
    }
    replace_node(context, &node, "Attention", {core->q, keys, values, core->mask},
                 make_attributes({{"scale", static_cast<float>(core->scale)}}));
    return true;
  });
}

}  // namespace edgewright
