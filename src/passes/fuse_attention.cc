// Before: y = softmax(scale q k^T + mask) v over [batch, heads, sequence, size].
// After:  y = Attention(q, k, v, mask, past) (ai.onnx 23). Where q, k and v are cut into heads and
//         the heads are merged behind, the operator does that itself; keys and values that are
//         repeated for groups of heads are taken once; keys and values joined to those of the past
//         become its past and present.
// Conditions: a positive scale; a choice in place of a mask is by a lower triangle. Not in the plan
// dialect, which has an operator of its own. Sources of the formulas: Vaswani et al., "Attention Is
// All You Need"; of the groups: Ainslie et al., "GQA".
#include <algorithm>

#include "passes/attention_core.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/shape_relations.h"

namespace edgewright {
namespace {

// Nodes between the stored keys and the product with the values: repeating, transposing, scaling,
// masking and softmax.
constexpr int kLongestWay = 12;

// Keys or values on their way into the product.
struct Stored {
  Value* fresh = nullptr;  // [batch, heads, sequence, size]
  Value* past = nullptr;   // null: none
  Value* present = nullptr;
};

// What is repeated for groups of query heads: Reshape(Expand(Unsqueeze(x, 2))); else the value.
Value* without_repeats(Value* value) {
  static const Pattern* const kRepeat =
      new Pattern("e = Expand(&Unsqueeze(x, #axes), _); Reshape(e, _)");
  if (value->producer == nullptr) return value;
  const Match match = kRepeat->match(*value->producer);
  if (!match || int_constant(match["axes"]) != std::vector<int64_t>{2}) return value;
  const Value *x = match["x"], *repeated = match["e"];
  const auto heads = known_dim(x, 1), times = known_dim(repeated, 2);
  const bool grouped = rank_of(x) == size_t{4} && heads && times &&
                       known_dim(value, 1) == *heads * *times && same_dim(repeated, 0, x, 0) &&
                       same_dim(repeated, 1, x, 1) && same_dim(repeated, 4, x, 3) &&
                       same_dim(value, 3, x, 3);
  return grouped ? match["x"] : value;
}

// Whether all uses of the present are the attention's own way to it or graph outputs.
bool only_leads_to(const Value* present, const Node& product, int depth) {
  return std::ranges::all_of(present->uses, [&](const Use& use) {
    if (use.node == &product) return true;
    return depth > 0 && use.node->outputs.size() == 1 && !use.node->output(0)->is_graph_output() &&
           !use.node->output(0)->uses.empty() &&
           only_leads_to(use.node->output(0), product, depth - 1);
  });
}

Stored read_stored(Value* value, const Node& product) {
  Stored stored{value, nullptr, nullptr};
  const Node* concat = producer(value, "Concat");
  if (concat == nullptr || concat->inputs.size() != 2) return stored;
  const int64_t axis = concat->attributes.get_int("axis", 0);
  if ((axis != 2 && axis != -2) || rank_of(concat->input(1)) != size_t{4} ||
      concat->graph != product.graph || !only_leads_to(value, product, kLongestWay)) {
    return stored;
  }
  return {concat->input(1), concat->input(0), value};
}

// A value of heads as [batch, sequence, heads * size], with the rotation that may lie between.
struct Sequence {
  Heads heads;
  Node* rotation = nullptr;
};

std::optional<Sequence> read_sequence(Value* value) {
  Sequence found;
  if (Node* rotation = producer(value, "RotaryEmbedding")) {
    if (!has_single_use(value) || rotation->input(3) != nullptr) return std::nullopt;
    found.rotation = rotation;
    value = rotation->input(0);
  }
  const auto heads = read_heads(value, false);
  if (!heads) return std::nullopt;
  found.heads = *heads;
  return found;
}

std::optional<Sequence> read_transposed_sequence(const Value* keys) {
  const auto heads = read_heads(keys, true);
  return heads ? std::optional(Sequence{*heads, nullptr}) : std::nullopt;
}

struct Plan {
  AttentionCore core;
  Stored k, v;
  std::optional<Sequence> sequences[3];
  Node* merge = nullptr;
  bool in_sequence_form() const { return merge != nullptr; }
};

bool mask_fits(const AttentionCore& core) {
  if (core.condition != nullptr) return is_causal(core);
  if (core.mask == nullptr) return true;
  const size_t rank = rank_of(core.mask).value_or(0);
  if (rank < 2 || rank > 4 || dtype_of(core.mask) != dtype_of(core.q)) return false;
  // The last axis does not broadcast in the operator.
  return same_dim(core.mask, rank - 1, core.scores, 3);
}

// Three parts of one value, or three values of their own.
bool parts_are_whole(const std::optional<Sequence> (&sequences)[3]) {
  for (int64_t i = 0; i < 3; ++i) {
    const Heads& heads = sequences[i]->heads;
    const Heads& first = sequences[0]->heads;
    if (heads.parts == 1 && first.parts == 1) continue;
    if (heads.parts != 3 || heads.part != i || heads.sequence != first.sequence) return false;
  }
  return true;
}

// False when the numbers of heads do not fit.
bool take_keys_and_values(Plan& plan, const Node& product) {
  const AttentionCore& core = plan.core;
  // Transposed keys are neither repeated nor stored in any model seen.
  Value* k = core.k == nullptr ? nullptr : without_repeats(core.k);
  Value* v = core.k == nullptr ? core.v : without_repeats(core.v);
  const auto query_heads = known_dim(core.q, 1), heads = known_dim(v, 1);
  if (!query_heads || !heads || *heads <= 0 || *query_heads % *heads != 0 ||
      known_dim(k == nullptr ? core.k_transposed : k, 1) != heads) {
    return false;
  }
  plan.k = {k, nullptr, nullptr};
  plan.v = {v, nullptr, nullptr};
  if (k == nullptr) return true;
  const Stored keys = read_stored(k, product), values = read_stored(v, product);
  if (keys.past == nullptr || values.past == nullptr) return true;
  plan.k = keys;
  plan.v = values;
  return true;
}

std::optional<Plan> plan_for(Node& product) {
  auto core = read_attention(product);
  if (!core || core->scale <= 0 || !is_floating_point(dtype_of(core->q)) || !mask_fits(*core)) {
    return std::nullopt;
  }
  Plan plan{*core, {}, {}, {}, nullptr};
  if (!take_keys_and_values(plan, product)) return std::nullopt;
  // With a past the triangle does not begin at the first key.
  if (plan.k.past != nullptr && core->condition != nullptr) return std::nullopt;
  plan.sequences[0] = read_sequence(core->q);
  plan.sequences[1] = plan.k.fresh == nullptr ? read_transposed_sequence(core->k_transposed)
                                              : read_sequence(plan.k.fresh);
  plan.sequences[2] = read_sequence(plan.v.fresh);
  const bool all = plan.sequences[0] && plan.sequences[1] && plan.sequences[2];
  if (all && parts_are_whole(plan.sequences)) plan.merge = merge_of_heads(product);
  return plan;
}

// q, k and v as sequences: the parts of a packed one are split.
std::vector<Value*> sequence_inputs(PassContext& context, Graph& graph, Node* before,
                                    const Plan& plan) {
  std::vector<Value*> inputs;
  const Heads& first = plan.sequences[0]->heads;
  Node* split = nullptr;
  if (first.parts == 3) {
    split = insert_node(context, graph, before, "Split", {first.sequence}, "q",
                        make_attributes({{"axis", int64_t{-1}}, {"num_outputs", int64_t{3}}}));
    ValueType type = first.sequence->type;
    type.shape->back() = Dim(first.heads * first.head_size);
    graph.add_node_output(split, "k");
    graph.add_node_output(split, "v");
    for (Value* output : split->outputs) output->type = type;
  }
  for (size_t i = 0; i < 3; ++i) {
    const Sequence& sequence = *plan.sequences[i];
    Value* input = split == nullptr ? sequence.heads.sequence : split->output(i);
    if (const Node* rotation = sequence.rotation; rotation != nullptr) {
      Attributes attributes = rotation->attributes;
      attributes.set("num_heads", sequence.heads.heads);
      const ValueType type = input->type;
      input = insert_node(context, graph, before, "RotaryEmbedding",
                          {input, rotation->input(1), rotation->input(2)}, input->name,
                          std::move(attributes))
                  ->output(0);
      input->type = type;
    }
    inputs.push_back(input);
  }
  return inputs;
}

void rewrite(PassContext& context, Graph& graph, Node& product, const Plan& plan) {
  Attributes attributes = make_attributes({{"scale", static_cast<float>(plan.core.scale)}});
  if (plan.core.condition != nullptr) attributes.set("is_causal", int64_t{1});
  Node* root = &product;
  std::vector<Value*> inputs{plan.core.q, plan.k.fresh, plan.v.fresh};
  if (!plan.in_sequence_form() && inputs[1] == nullptr) {
    const std::vector<int64_t> swap = {0, 1, 3, 2};
    inputs[1] = insert_node(context, graph, root, "Transpose", {plan.core.k_transposed}, "keys",
                            make_attributes({{"perm", swap}}))
                    ->output(0);
  }
  if (plan.in_sequence_form()) {
    root = plan.merge;
    inputs = sequence_inputs(context, graph, root, plan);
    attributes.set("q_num_heads", plan.sequences[0]->heads.heads);
    attributes.set("kv_num_heads", plan.sequences[1]->heads.heads);
  }
  inputs.insert(inputs.end(), {plan.core.mask, plan.k.past, plan.v.past});
  const Stored stored[2] = {plan.k, plan.v};
  Node* fused = replace_node(context, root, "Attention", inputs, std::move(attributes));
  if (plan.k.past == nullptr) return;
  for (const Stored& each : stored) {
    Value* present = graph.add_node_output(fused, "present");
    if (!each.present->is_graph_output() && each.present->uses.empty()) continue;
    present->type = each.present->type;
    graph.replace_uses(each.present, present);
    erase_if_dead(each.present->producer);
  }
}

}  // namespace

Result<bool> fuse_attention(Graph& graph, PassContext& context) {
  if (!context.may_use_opset(23) || context.options.dialect == Dialect::kPlan) return false;
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    // In the sequence form the rewrite begins at the Reshape that merges the heads.
    Node* product = node.is("MatMul") ? &node : nullptr;
    if (node.is("Reshape")) {
      const Node* transpose = producer(node.input(0), "Transpose");
      product = transpose == nullptr ? nullptr : producer(transpose->input(0), "MatMul");
      if (product != nullptr && merge_of_heads(*product) != &node) product = nullptr;
    }
    if (product == nullptr) return false;
    const auto plan = plan_for(*product);
    if (!plan) return false;
    const Node* root = plan->in_sequence_form() ? plan->merge : product;
    if (root != &node || !context.allow(node)) return false;
    rewrite(context, owner, *product, *plan);
    return true;
  });
}

}  // namespace edgewright
