#include "quantize/layer_cost.h"

#include <algorithm>

#include "graph/text.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

bool has_shape(const Value* value) { return static_dims(value).has_value(); }

// The node that reads the value alone and is applied to a layer's sums before they are rounded.
Node* fused_activation(const Value* value) {
  Node* user = single_user(value);
  if (user == nullptr || quant_role(*user) != QuantRole::kNone || user->outputs.size() != 1) {
    return nullptr;
  }
  constexpr std::string_view kFused[] = {"Relu", "Clip", "LeakyRelu", "HardSwish", "Sigmoid"};
  const bool fused =
      user->domain.empty() && std::ranges::find(kFused, user->op) != std::end(kFused);
  return fused && user->inputs[0] == value ? user : nullptr;
}

// Copies nodes with their constants into a graph; what is no constant becomes an input.
class Isolator {
 public:
  explicit Isolator(Graph& target) : target_(target) {}

  Value* value_of(const Value* value) {
    if (value == nullptr) return nullptr;
    Value*& entry = copies_[value];
    if (entry != nullptr) return entry;
    entry = value->is_constant() ? target_.add_constant(value->name, *value->constant)
                                 : target_.add_input(value->name, value->type);
    return entry;
  }

  void add(const Node& node) {
    std::vector<Value*> inputs;
    inputs.reserve(node.inputs.size());
    for (const Value* input : node.inputs) inputs.push_back(value_of(input));
    Node* copy = target_.add_node(node.op, std::move(inputs), {node.outputs[0]->name},
                                  node.attributes, node.domain);
    copy->outputs[0]->type = node.outputs[0]->type;
    copies_[node.outputs[0]] = copy->outputs[0];
  }

 private:
  Graph& target_;
  std::map<const Value*, Value*> copies_;
};

// Inputs that are rounded first become inputs of integers.
void read_integers(Graph& graph) {
  for (Node* node : graph.node_list()) {
    if (!node->is("QuantizeLinear") || !node->inputs[0]->is_graph_input()) continue;
    Value* real = node->inputs[0];
    if (real->uses.size() != 1) continue;
    Value* integers = graph.add_input("", node->outputs[0]->type);
    graph.replace_uses(node->outputs[0], integers, false);
    graph.erase(node);
  }
  for (size_t i = graph.inputs().size(); i-- > 0;) {
    if (graph.inputs()[i]->uses.empty()) graph.remove_input(i);
  }
}

void rename_all(Graph& graph) {
  size_t next = 0;
  for (Value& value : graph.values()) graph.rename(&value, fmt::format("_v{}", next++));
  for (Node& node : graph.nodes()) node.name.clear();
}

// Measures graphs by their text, each once.
class Measurer {
 public:
  size_t add(std::unique_ptr<Graph> graph) {
    const std::string text = print(*graph, {0, true});
    const auto [it, fresh] = index_.emplace(text, graphs_.size());
    if (fresh) graphs_.push_back(std::move(graph));
    return it->second;
  }
  Status measure(LatencyMeter& meter) {
    std::vector<const Graph*> graphs;
    graphs.reserve(graphs_.size());
    for (const auto& graph : graphs_) graphs.push_back(graph.get());
    EDGEWRIGHT_ASSIGN(latencies_, meter.measure(graphs));
    return {};
  }
  const Latency& of(size_t index) const { return latencies_[index]; }

 private:
  std::map<std::string, size_t> index_;
  std::vector<std::unique_ptr<Graph>> graphs_;
  std::vector<Latency> latencies_;
};

// The layer that makes the value, activations skipped.
const Value* made_by(const Value* value) {
  constexpr std::string_view kSkipped[] = {"Relu", "Clip", "LeakyRelu", "HardSwish", "Sigmoid"};
  while (value->producer != nullptr && value->producer->domain.empty() &&
         std::ranges::find(kSkipped, value->producer->op) != std::end(kSkipped)) {
    value = value->producer->inputs[0];
  }
  return value;
}

}  // namespace

Result<std::unique_ptr<Graph>> isolated_layer(const Graph& graph, const std::string& layer,
                                              const QuantDecision* decision) {
  const Value* made = const_cast<Graph&>(graph).find_value(layer);
  if (made == nullptr || made->producer == nullptr) {
    return internal_error("the graph has no layer '{}'", layer);
  }
  const Node* node = made->producer;
  if (!std::ranges::all_of(node->inputs, [](const Value* v) {
        return v == nullptr || v->is_constant() || has_shape(v);
      })) {
    return unsupported("layer '{}': its shapes are not known", layer);
  }
  auto alone = std::make_unique<Graph>();
  Isolator isolator(*alone);
  isolator.add(*node);
  const Value* last = made;
  while (const Node* activation = fused_activation(last)) {
    isolator.add(*activation);
    last = activation->outputs[0];
  }
  Value* result = alone->find_value(last->name);
  if (decision == nullptr) {
    alone->add_output(result);
  } else {
    EDGEWRIGHT_TRY(insert_qdq(*alone, *decision, QdqForm::kNodes));
    const auto it = decision->activations.find(last->name);
    if (it != decision->activations.end()) {
      result = round_value(*alone, result, it->second, QdqForm::kNodes, nullptr);
      result = result->producer->inputs[0];  // the integers
    }
    alone->add_output(result);
    read_integers(*alone);
  }
  alone->remove_dead();
  rename_all(*alone);
  return alone;
}

std::unique_ptr<Graph> isolated_rounding(const Dims& dims, const QuantParams& params) {
  auto graph = std::make_unique<Graph>();
  Value* x = graph->add_input("x", ValueType::tensor(DType::kFloat32, to_shape(dims)));
  QuantParams plain = params;
  plain.scale = 1;
  Value* rounded = round_value(*graph, x, plain, QdqForm::kNodes, nullptr);
  graph->add_output(rounded->producer->inputs[0]);
  graph->remove_dead();
  rename_all(*graph);
  return graph;
}

Result<LayerCosts> LayerCosts::measure(Graph& graph, const QuantSites& sites,
                                       const QuantDecision& decision, LatencyMeter& meter,
                                       const Progress& progress) {
  Measurer measurer;
  std::map<std::string, std::pair<size_t, size_t>> layers;
  std::map<std::string, size_t> roundings;
  for (const QuantLayer& layer : sites.layers) {
    const std::string& name = layer.name();
    EDGEWRIGHT_ASSIGN(auto real, isolated_layer(graph, name, nullptr));
    EDGEWRIGHT_ASSIGN(auto integer, isolated_layer(graph, name, &decision));
    layers[name] = {measurer.add(std::move(real)), measurer.add(std::move(integer))};
  }
  for (const QuantPoint& point : sites.points) {
    const auto dims = static_dims(point.value);
    if (!dims) return unsupported("value '{}': its shape is not known", point.value->name);
    roundings[point.value->name] =
        measurer.add(isolated_rounding(*dims, decision.activations.at(point.value->name)));
  }
  if (progress) progress("measure layers", 0, layers.size());
  EDGEWRIGHT_TRY(measurer.measure(meter));
  LayerCosts costs;
  for (const auto& [name, pair] : layers) {
    const Latency& real = measurer.of(pair.first);
    const Latency& integer = measurer.of(pair.second);
    costs.layers_[name] = {real.median_us, integer.median_us, real.tuned && integer.tuned};
  }
  for (const auto& [name, index] : roundings) {
    costs.rounding_us_[name] = measurer.of(index).median_us;
  }
  return costs;
}

double LayerCosts::total_us(const QuantSites& sites) const {
  std::set<std::string_view> integer;
  for (const QuantLayer& layer : sites.layers) integer.insert(layer.name());
  double sum = 0;
  for (const auto& [name, pair] : layers_) {
    sum += integer.contains(name) ? pair.integer_us : pair.float_us;
  }
  const auto reads_integers = [&](const Use& use) {
    const Value* made = use.node->output(0);
    return made != nullptr && integer.contains(made->name);
  };
  for (const QuantPoint& point : sites.points) {
    const bool fused = integer.contains(made_by(point.value)->name) &&
                       std::ranges::all_of(point.value->uses, reads_integers);
    const auto it = rounding_us_.find(point.value->name);
    if (!fused && it != rounding_us_.end()) sum += it->second;
  }
  return sum;
}

}  // namespace edgewright
