// Before: Q K^T, scaled, perhaps masked, Softmax, times V, with the Reshapes and Transposes that
// cut the heads out of [B,S,heads*size] and put them together again; or the plain forms of the
// Attention operators of ai.onnx and com.microsoft. After: one edgewright::Attention on
// [B,S,heads*size]. Q, K and V that come out of one product as [B,S,3*heads*size] stay together
// (packed_qkv). Where Q, K, V and the weights of V are rounded to bytes on the way and Q, K and V
// come out of one product: one edgewright::QuantizedAttention. Conditions: float32, known shapes,
// nothing else reads what lies between.
#include <array>

#include "passes/lower/quantized_match.h"

namespace edgewright {
namespace {

// A value [B,heads,S,size] traced back to the columns of a [B,S,parts*heads*size] tensor.
struct Heads {
  Value* source = nullptr;
  std::optional<QuantizedScale> rounding;
  int64_t part = 0, parts = 1;
  int64_t heads = 0, size = 0;
};

using Permutation = std::vector<int64_t>;

// The input of a Transpose with this permutation that makes the value; else null.
Value* before_transpose(const Value* value, const Permutation& permutation) {
  const Node* node = producer(value, "Transpose");
  if (node == nullptr || permutation_of(*node, permutation.size()) != permutation) return nullptr;
  return node->inputs[0];
}

// The [B,S,W] tensor that a Reshape makes [B,S,...].
Value* before_reshape(const Value* value) {
  const Node* node = producer(value, "Reshape");
  if (node == nullptr || !is_static_float(node->input(0))) return nullptr;
  const Dims from = *static_dims(node->inputs[0]);
  const auto to = static_dims(value);
  if (from.size() != 3 || !to || to->size() < 4 || from[0] != (*to)[0] || from[1] != (*to)[1]) {
    return nullptr;
  }
  return node->inputs[0];
}

// The value before QuantizeLinear and DequantizeLinear of one scale that nothing else reads; the
// value itself where there are none.
const Value* before_rounding(const Value* value, std::optional<QuantizedScale>& rounding) {
  const auto bytes = dequantized_value(value);
  if (!bytes || !has_single_use(value) || !has_single_use(bytes->bytes)) return value;
  const Node* quantizer = bytes->bytes->producer;
  const auto scale = quantizer != nullptr ? quantizes(*quantizer) : std::nullopt;
  if (!scale || *scale != bytes->scale || (rounding && *rounding != *scale)) return value;
  rounding = *scale;
  return quantizer->inputs[0];
}

std::optional<Heads> trace_heads(const Value* value,
                                 std::optional<QuantizedScale> rounding = std::nullopt) {
  value = before_rounding(value, rounding);
  const auto dims = static_dims(value);
  if (!dims || dims->size() != 4) return std::nullopt;
  Heads heads;
  heads.rounding = rounding;
  heads.heads = (*dims)[1];
  heads.size = (*dims)[3];
  if (const Value* cut = before_transpose(value, {0, 2, 1, 3}); cut != nullptr) {
    heads.source = before_reshape(cut);
  } else if (const Node* gather = producer(value, "Gather"); gather != nullptr) {
    const auto index = scalar_constant(gather->input(1));
    const Value* cut = before_transpose(gather->inputs[0], {2, 0, 3, 1, 4});
    if (!index || cut == nullptr || gather->attributes.get_int("axis", 0) != 0) return std::nullopt;
    heads.parts = (*static_dims(cut))[2];
    heads.part = static_cast<int64_t>(*index) + (*index < 0 ? heads.parts : 0);
    heads.source = before_reshape(cut);
  }
  if (heads.source == nullptr) return std::nullopt;
  return heads;
}

// What feeds a Softmax.
struct Scores {
  const Node* product = nullptr;
  Value* mask = nullptr;
  double scale = 1;
  bool transpose_b = false;
};

bool take_scale(const Node& node, Scores& scores, Value*& next) {
  for (size_t i = 0; i < 2; ++i) {
    const auto number = scalar_constant(node.inputs[1 - i]);
    if (!number || (node.op == "Div" && i == 1) || *number == 0) continue;
    scores.scale *= node.op == "Div" ? 1 / *number : *number;
    next = node.inputs[i];
    return true;
  }
  return false;
}

bool take_mask(const Node& node, Scores& scores, Value*& next) {
  for (size_t i = 0; i < 2; ++i) {
    const Node* inner = node.inputs[i]->producer;
    const auto mask = static_dims(node.inputs[1 - i]);
    const auto whole = static_dims(node.outputs[0]);
    if (inner == nullptr || !is_static_float(node.inputs[1 - i]) || !mask || !whole) continue;
    const bool is_score = inner->op == "MatMul" || inner->op == "FusedMatMul" ||
                          inner->op == "Mul" || inner->op == "Div";
    if (!is_score || mask->empty() || mask->size() > 4 || mask->back() != whole->back()) continue;
    scores.mask = node.inputs[1 - i];
    next = node.inputs[i];
    return true;
  }
  return false;
}

std::optional<Scores> trace_scores(Value* value) {
  Scores scores;
  for (int depth = 0; depth < 4; ++depth) {
    Node* node = value->producer;
    if (node == nullptr || !has_single_use(value)) return std::nullopt;
    if (node->is("MatMul") || node->is("FusedMatMul", "com.microsoft")) {
      scores.product = node;
      scores.transpose_b = node->attributes.get_int("transB", 0) != 0;
      const bool other = node->attributes.get_int("transA", 0) != 0 ||
                         node->attributes.get_int("transBatchA", 0) != 0 ||
                         node->attributes.get_int("transBatchB", 0) != 0;
      if (other) return std::nullopt;
      scores.scale *= node->attributes.get_float("alpha", 1.0f);
      return scores;
    }
    const bool scaled = (node->is("Mul") || node->is("Div")) && take_scale(*node, scores, value);
    const bool masked = !scaled && node->is("Add") && scores.mask == nullptr && scores.scale == 1 &&
                        take_mask(*node, scores, value);
    if (!scaled && !masked) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Heads> trace_keys(const Scores& scores) {
  std::optional<QuantizedScale> rounding;
  const Value* keys = before_rounding(scores.product->inputs[1], rounding);
  if (scores.transpose_b) return trace_heads(keys, rounding);
  if (const Value* rows = before_transpose(keys, {0, 1, 3, 2})) return trace_heads(rows, rounding);
  const Value* cut = before_transpose(keys, {0, 2, 3, 1});
  if (cut == nullptr) return std::nullopt;
  const auto dims = static_dims(cut);
  Heads heads{before_reshape(cut), rounding, 0, 1, (*dims)[2], (*dims)[3]};
  if (heads.source == nullptr) return std::nullopt;
  return heads;
}

// The value behind QuantizeLinear and DequantizeLinear of one scale; the value itself where there
// are none. Roundings in a row must be alike: one of them is enough then.
const Value* behind_rounding(const Value* value, std::optional<QuantizedScale>& rounding) {
  const Node* quantizer = single_user(value);
  const auto scale = quantizer != nullptr ? quantizes(*quantizer) : std::nullopt;
  const Node* back = scale ? single_user(quantizer->outputs[0]) : nullptr;
  const auto bytes = back != nullptr ? dequantized_value(back->output(0)) : std::nullopt;
  if (!bytes || bytes->scale != *scale || (rounding && *rounding != *scale)) return value;
  rounding = *scale;
  return back->outputs[0];
}

// The [B,S,heads*size] result that the weighed values become; null when they do not.
Value* joined_heads(const Value* weighed, std::optional<QuantizedScale>& rounding) {
  const Node* transpose = single_user(behind_rounding(weighed, rounding));
  if (transpose == nullptr || !transpose->is("Transpose")) return nullptr;
  if (permutation_of(*transpose, 4) != Permutation{0, 2, 1, 3}) return nullptr;
  const Node* reshape = single_user(behind_rounding(transpose->outputs[0], rounding));
  if (reshape == nullptr || !reshape->is("Reshape")) return nullptr;
  const auto from = static_dims(transpose->outputs[0]), to = static_dims(reshape->outputs[0]);
  const bool joins = from && to && to->size() == 3 && (*to)[0] == (*from)[0] &&
                     (*to)[1] == (*from)[1] && (*to)[2] == (*from)[2] * (*from)[3];
  return joins ? reshape->outputs[0] : nullptr;
}

// Everything around one Softmax.
struct WholeAttention {
  Heads q, k, v;
  Scores scores;
  std::optional<QuantizedScale> weights;  // of the softmax
  std::optional<QuantizedScale> result;
  Value* last = nullptr;

  bool packed() const {
    return q.parts == 3 && k.parts == 3 && v.parts == 3 && q.part == 0 && k.part == 1 &&
           v.part == 2 && q.source == k.source && q.source == v.source;
  }
  bool rounds() const { return q.rounding || k.rounding || v.rounding || weights || result; }
  bool rounds_all() const { return q.rounding && k.rounding && v.rounding && weights; }
};

std::optional<WholeAttention> trace_attention(const Node& softmax) {
  const auto rank = rank_of(softmax.input(0));
  if (!softmax.domain.empty() || rank != 4 || !is_static_float(softmax.inputs[0])) return {};
  const int64_t axis = softmax.attributes.get_int("axis", -1);
  WholeAttention whole;
  const Value* weights = behind_rounding(softmax.outputs[0], whole.weights);
  const Node* weigh = single_user(weights);
  if ((axis != -1 && axis != 3) || weigh == nullptr || !weigh->is("MatMul") ||
      weigh->inputs[0] != weights) {
    return {};
  }
  const auto scores = trace_scores(softmax.inputs[0]);
  if (!scores) return {};
  whole.scores = *scores;
  const auto q = trace_heads(scores->product->inputs[0]), k = trace_keys(*scores),
             v = trace_heads(weigh->inputs[1]);
  whole.last = joined_heads(weigh->outputs[0], whole.result);
  if (!q || !k || !v || whole.last == nullptr) return {};
  if (q->size != k->size || q->size != v->size || k->heads != q->heads || v->heads != q->heads) {
    return {};
  }
  whole.q = *q;
  whole.k = *k;
  whole.v = *v;
  return whole;
}

void set_rounding(Attributes& attributes, const std::string& name, const QuantizedScale& scale) {
  attributes.set(name + "_scale", static_cast<float>(scale.scale));
  attributes.set(name + "_zero", scale.zero);
  attributes.set(name + "_type", static_cast<int64_t>(scale.dtype));
}

// The nodes that quantise the result, all with one scale; empty where others read it.
std::vector<Node*> result_quantizers(const WholeAttention& whole) {
  std::vector<Node*> quantizers;
  std::optional<QuantizedScale> common = whole.result;
  for (const Use& use : whole.last->uses) {
    const auto scale = quantizes(*use.node);
    if (!scale || (common && *common != *scale) || use.node->graph != whole.last->graph) return {};
    common = *scale;
    quantizers.push_back(use.node);
  }
  return whole.last->is_graph_output() ? std::vector<Node*>() : quantizers;
}

// Roundings on the way out are dropped, so that the result must be rounded like that itself.
bool lower_rounded(PassContext& context, Node& softmax, const WholeAttention& whole) {
  const std::vector<Node*> quantizers = result_quantizers(whole);
  if (!whole.packed() || !whole.rounds_all() || whole.scores.mask != nullptr ||
      quantizers.empty() || !context.allow(softmax)) {
    return false;
  }
  Attributes attributes = make_attributes(
      {{"num_heads", whole.q.heads}, {"scale", static_cast<float>(whole.scores.scale)}});
  set_rounding(attributes, "q", *whole.q.rounding);
  set_rounding(attributes, "k", *whole.k.rounding);
  set_rounding(attributes, "v", *whole.v.rounding);
  set_rounding(attributes, "weights", *whole.weights);
  set_rounding(attributes, "y", *quantizes(*quantizers[0]));
  Graph& graph = *softmax.graph;
  Node* const old = whole.last->producer;
  Node* made = insert_node(context, graph, old, "QuantizedAttention", {whole.q.source},
                           quantizers[0]->outputs[0]->name, std::move(attributes), kEngineDomain);
  made->name = old->name;
  made->outputs[0]->type = quantizers[0]->outputs[0]->type;
  for (Node* quantizer : quantizers) {
    graph.replace_uses(quantizer->outputs[0], made->outputs[0]);
    erase_if_dead(quantizer);
  }
  return true;
}

Result<bool> lower_softmax(PassContext& context, Node& softmax) {
  const auto whole = trace_attention(softmax);
  if (!whole) return false;
  if (whole->rounds()) return lower_rounded(context, softmax, *whole);
  const Heads &q = whole->q, &k = whole->k, &v = whole->v;
  if (!whole->packed() && (q.parts != 1 || k.parts != 1 || v.parts != 1)) return false;
  if (!context.allow(softmax)) return false;
  Attributes attributes = make_attributes({{"num_heads", q.heads},
                                           {"kv_num_heads", k.heads},
                                           {"scale", static_cast<float>(whole->scores.scale)}});
  std::vector<Value*> inputs = {q.source, k.source, v.source, whole->scores.mask};
  if (whole->packed()) {
    attributes.set("packed_qkv", int64_t{1});
    inputs[1] = inputs[2] = nullptr;
  }
  replace_chain(context, whole->last, "Attention", std::move(inputs), std::move(attributes));
  return true;
}

// com.microsoft::Attention without mask and past: a product, then attention on its packed result.
Result<bool> lower_contrib(PassContext& context, Node& node) {
  if (!node.is("Attention", "com.microsoft") || node.outputs.size() != 1) return false;
  if (node.inputs.size() < 2 || node.inputs.size() > 3) return false;
  const auto x = static_dims(node.inputs[0]), w = static_dims(node.inputs[1]);
  const int64_t heads = node.attributes.get_int("num_heads", 0);
  if (!is_static_float(node.inputs[0]) || !is_static_float(node.inputs[1]) || !x || !w ||
      x->size() != 3 || w->size() != 2 || heads < 1 || (*w)[1] % (3 * heads) != 0 ||
      node.attributes.contains("qkv_hidden_sizes") ||
      node.attributes.get_int("do_rotary", 0) != 0) {
    return false;
  }
  if (!context.allow(node)) return false;
  std::vector<Value*> factors = {node.inputs[0], node.inputs[1], node.input(2)};
  Node* product = insert_node(context, *node.graph, &node, "MatMul", std::move(factors),
                              node.outputs[0]->name + "_qkv", {}, kEngineDomain);
  product->outputs[0]->type =
      ValueType::tensor(DType::kFloat32, to_shape({(*x)[0], (*x)[1], (*w)[1]}));
  Attributes attributes = make_attributes({{"num_heads", heads}, {"packed_qkv", int64_t{1}}});
  for (const char* name : {"scale", "unidirectional"}) {
    if (const AttributeValue* value = node.attributes.find(name)) attributes.set(name, *value);
  }
  replace_chain(context, node.outputs[0], "Attention", {product->outputs[0]},
                std::move(attributes));
  return true;
}

// ai.onnx Attention on [B,S,heads*size] in its plain form: one output, no past, a float mask.
Result<bool> lower_standard(PassContext& context, Node& node) {
  if (!node.domain.empty() || node.outputs.size() != 1 || node.inputs.size() < 3 ||
      node.inputs.size() > 4 || node.attributes.get_float("softcap", 0) != 0 ||
      node.attributes.get_int("qk_matmul_output_mode", 0) != 0) {
    return false;
  }
  for (size_t i = 0; i < 3; ++i) {
    if (!is_static_float(node.inputs[i]) || rank_of(node.inputs[i]) != 3) return false;
  }
  const Dims q = *static_dims(node.inputs[0]), k = *static_dims(node.inputs[1]);
  const int64_t heads = node.attributes.get_int("q_num_heads", 0);
  const int64_t kv_heads = node.attributes.get_int("kv_num_heads", heads);
  Value* mask = node.input(3);
  if (heads < 1 || kv_heads < 1 || k != static_dims(node.inputs[2]) ||
      q[2] / heads * kv_heads != k[2]) {
    return false;
  }
  if (mask != nullptr &&
      (!is_static_float(mask) || static_dims(mask)->empty() || static_dims(mask)->back() != k[1])) {
    return false;
  }
  // Causal masks of the two operators agree where queries and keys are as many.
  const int64_t causal = node.attributes.get_int("is_causal", 0);
  if ((causal != 0 && q[1] != k[1]) || !context.allow(node)) return false;
  Attributes attributes = make_attributes(
      {{"num_heads", heads}, {"kv_num_heads", kv_heads}, {"unidirectional", causal}});
  const float scale = node.attributes.get_float("scale", 0);
  if (scale != 0) attributes.set("scale", scale);
  replace_chain(context, node.outputs[0], "Attention",
                {node.inputs[0], node.inputs[1], node.inputs[2], mask}, std::move(attributes));
  return true;
}

}  // namespace

Result<bool> lower_attention(Graph& graph, PassContext& context) {
  return lower_nodes(graph, {"Softmax", "Attention"}, [&](Node& node) -> Result<bool> {
    if (node.op == "Softmax") return lower_softmax(context, node);
    return node.domain.empty() ? lower_standard(context, node) : lower_contrib(context, node);
  });
}

}  // namespace edgewright
