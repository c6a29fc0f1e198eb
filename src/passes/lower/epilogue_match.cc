// What follows a convolution or matrix product and can be computed while its result is stored.
#include <algorithm>
#include <limits>

#include "passes/lower/lower.h"

namespace edgewright {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct PlainActivation {
  std::string_view domain, op, name;
  // Attributes that go along, with their defaults; NaN: the operator has none.
  float alpha, beta;
};
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
constexpr PlainActivation kPlainActivations[] = {
    {"", "Relu", "Relu", kNone, kNone},
    {"", "LeakyRelu", "LeakyRelu", 0.01f, kNone},
    {"", "Sigmoid", "Sigmoid", kNone, kNone},
    {"", "HardSigmoid", "HardSigmoid", 0.2f, 0.5f},
    {"", "HardSwish", "HardSwish", kNone, kNone},
    {"", "Tanh", "Tanh", kNone, kNone},
    {"com.microsoft", "Gelu", "Gelu", kNone, kNone},
};

void end_at(EpilogueMatch& match, const Node& node, std::string_view name,
            std::optional<float> alpha = {}, std::optional<float> beta = {}) {
  match.last = node.outputs[0];
  match.activation = name;
  match.alpha = alpha;
  match.beta = beta;
}

bool match_plain(EpilogueMatch& match, const Node& node) {
  for (const PlainActivation& known : kPlainActivations) {
    if (!node.is(known.op, known.domain)) continue;
    std::optional<float> alpha, beta;
    if (known.alpha == known.alpha) alpha = node.attributes.get_float("alpha", known.alpha);
    if (known.beta == known.beta) beta = node.attributes.get_float("beta", known.beta);
    end_at(match, node, known.name, alpha, beta);
    return true;
  }
  return false;
}

bool match_clip(EpilogueMatch& match, const Node& node) {
  if (!node.is("Clip")) return false;
  const auto low = scalar_constant(node.input(1)), high = scalar_constant(node.input(2));
  if ((node.input(1) != nullptr && !low) || (node.input(2) != nullptr && !high)) return false;
  end_at(match, node, "Clip", low ? static_cast<float>(*low) : -kInfinity,
         high ? static_cast<float>(*high) : kInfinity);
  return true;
}

bool match_gelu(EpilogueMatch& match, const Node& node) {
  if (node.is("Gelu")) {
    const bool tanh = node.attributes.get_string("approximate", "none") == "tanh";
    end_at(match, node, tanh ? "GeluTanh" : "Gelu");
    return true;
  }
  if (node.is("FastGelu", "com.microsoft") && node.input(1) == nullptr) {
    end_at(match, node, "GeluTanh");
    return true;
  }
  const bool quick = node.is("QuickGelu", "com.microsoft");
  if ((quick && node.attributes.get_float("alpha", 1.702f) == 1.0f) ||
      (node.is("Swish") && node.attributes.get_float("alpha", 1.0f) == 1.0f)) {
    end_at(match, node, "Silu");
    return true;
  }
  return false;
}

// x * Sigmoid(x), and x * HardSigmoid(x) with the slope and offset of HardSwish.
bool match_gated(EpilogueMatch& match) {
  const Value* x = match.last;
  if (x->uses.size() != 2 || x->is_graph_output()) return false;
  for (size_t first = 0; first < 2; ++first) {
    const Node* gate = x->uses[first].node;
    const Node* product = x->uses[1 - first].node;
    if (gate == product || !product->is("Mul") || single_user(gate->output(0)) != product) continue;
    if (gate->is("Sigmoid")) {
      end_at(match, *product, "Silu");
      return true;
    }
    const float slope = gate->attributes.get_float("alpha", 0.2f);
    if (gate->is("HardSigmoid") && slope > 0.16666f && slope < 0.16667f &&
        gate->attributes.get_float("beta", 0.5f) == 0.5f) {
      end_at(match, *product, "HardSwish");
      return true;
    }
  }
  return false;
}

bool match_residual(EpilogueMatch& match) {
  const Node* sum = single_user(match.last);
  if (sum == nullptr || !sum->is("Add") || sum->graph != match.last->graph) return false;
  Value* other = sum->inputs[0] == match.last ? sum->inputs[1] : sum->inputs[0];
  if (other == match.last || !is_static_float(other)) return false;
  if (static_dims(other) != static_dims(match.last)) return false;
  match.residual = other;
  match.residual_before_activation = match.activation.empty();
  match.last = sum->outputs[0];
  return true;
}

}  // namespace

Result<bool> lower_nodes(Graph& graph, std::initializer_list<std::string_view> ops,
                         FunctionRef<Result<bool>(Node& node)> rewrite) {
  bool changed = false;
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    for (auto& [attribute, subgraph] : it->subgraphs) {
      EDGEWRIGHT_ASSIGN(const bool inside, lower_nodes(*subgraph, ops, rewrite));
      changed |= inside;
    }
    bool done = false;
    if (std::ranges::find(ops, it->op) != ops.end()) {
      EDGEWRIGHT_ASSIGN(done, rewrite(*it));
    }
    changed |= done;
    // Any node around may be gone after a rewrite, so the walk begins again; what came in the place
    // of the nodes has another operator or domain.
    it = done ? graph.nodes().begin() : std::next(it);
  }
  return changed;
}

bool is_static_float(const Value* value) {
  return dtype_of(value) == DType::kFloat32 && static_dims(value).has_value();
}

void match_activation(EpilogueMatch& match) {
  const Graph* graph = match.last->graph;
  const Value* before = match.last;
  const Node* user = single_user(before);
  if (user != nullptr && user->graph == graph && user->input(0) == before) {
    if (match_plain(match, *user) || match_clip(match, *user) || match_gelu(match, *user)) return;
  }
  match_gated(match);
}

void match_epilogue(EpilogueMatch& match) {
  const bool summed = match_residual(match);
  match_activation(match);
  if (!summed && !match.activation.empty()) match_residual(match);
}

void EpilogueMatch::write_to(Attributes& attributes) const {
  if (!activation.empty()) attributes.set("activation", activation);
  if (alpha) attributes.set("alpha", *alpha);
  if (beta) attributes.set("beta", *beta);
  if (residual != nullptr && !residual_before_activation) {
    attributes.set("residual_before_activation", int64_t{0});
  }
}

Node* replace_chain(PassContext& context, Value* last, std::string_view op,
                    std::vector<Value*> inputs, Attributes attributes) {
  Node* old = last->producer;
  Graph& graph = *old->graph;
  const std::string name = last->name;
  const ValueType type = last->type;
  Node* node = insert_node(context, graph, old, op, std::move(inputs), name, std::move(attributes),
                           kEngineDomain);
  node->outputs[0]->type = type;
  node->name = old->name;
  graph.replace_uses(last, node->outputs[0]);
  erase_if_dead(old);
  graph.rename(node->outputs[0], name);
  return node;
}

}  // namespace edgewright
