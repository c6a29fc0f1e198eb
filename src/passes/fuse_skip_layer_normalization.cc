// Before: s = a + b [+ c]; y = LayerNormalization(s, g, h) over the last axis, or its RMS form.
// After:  y, _, _, s = SkipLayerNormalization(a, b, g, h, c) of com.microsoft, or
//         SkipSimplifiedLayerNormalization(a, b, g, c).
// Conditions: a and b of one shape of rank 3; c a vector along the last axis; s may be used
// elsewhere too. Same domain of types as ONNX Runtime's kernels: float32 and float16.
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

bool is_bias(const Value* value, const Value* x) {
  return rank_of(value) == size_t{1} && (*value->type.shape)[0].is_known() &&
         (*value->type.shape)[0] == x->type.shape->back();
}

// Takes a bias out of an addition that nothing else needs; null when there is none.
Value* split_bias(Value*& term) {
  Node* add = has_single_use(term) ? producer(term, "Add") : nullptr;
  if (add == nullptr || add->graph != term->uses[0].node->graph) return nullptr;
  for (size_t i = 0; i < 2; ++i) {
    if (!is_bias(add->input(i), term) || !same_shape(add->input(1 - i), term)) continue;
    term = add->input(1 - i);
    return add->input(i);
  }
  return nullptr;
}

bool holds(const Node& norm, const Match& match) {
  const DType dtype = dtype_of(match["s"]);
  const auto rank = static_cast<int64_t>(rank_of(match["s"]).value_or(0));
  const int64_t axis = norm.attributes.get_int("axis", -1);
  return (dtype == DType::kFloat32 || dtype == DType::kFloat16) && rank == 3 &&
         (axis == -1 || axis == rank - 1) && norm.output(1) == nullptr &&
         norm.output(2) == nullptr && same_shape(match["a"], match["b"]) &&
         same_shape(match["a"], match["s"]) && dtype_of(match["g"]) == dtype;
}

void rewrite(PassContext& context, Graph& graph, Node& norm, const Match& match) {
  Value *a = match["a"], *b = match["b"], *sum = match["s"];
  const bool simplified = norm.op != "LayerNormalization";
  Value* bias = split_bias(a);
  if (bias == nullptr) bias = split_bias(b);
  std::vector<Value*> inputs{a, b, match["g"]};
  if (!simplified) inputs.push_back(norm.input(2));
  inputs.push_back(bias);
  Node* add = sum->producer;
  const bool sum_is_wanted = !has_single_use(sum);
  Node* fused = replace_node(
      context, &norm, simplified ? "SkipSimplifiedLayerNormalization" : "SkipLayerNormalization",
      inputs, make_attributes({{"epsilon", norm.attributes.get_float("epsilon", 1e-5f)}}),
      kMicrosoft);
  if (!sum_is_wanted) return;
  fused->outputs.resize(3, nullptr);
  Value* output = graph.add_node_output(fused, sum->name);
  output->type = sum->type;
  graph.move_before(fused, add);
  graph.replace_uses(sum, output);
  erase_if_dead(add);
}

}  // namespace

Result<bool> fuse_skip_layer_normalization(Graph& graph, PassContext& context) {
  static const Pattern* const kSkip = new Pattern(R"(
      s = &Add(a, b);
      LayerNormalization|RMSNormalization|SimplifiedLayerNormalization(s, g, ...))");
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    const Match match = kSkip->match(node);
    if (!match || !holds(node, match) || !context.allow(node)) return false;
    rewrite(context, owner, node, match);
    return true;
  });
}

}  // namespace edgewright
