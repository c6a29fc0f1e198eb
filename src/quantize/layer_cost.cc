#include "quantize/layer_cost.h"

#include <algorithm>

#include "graph/text.h"
#include "passes/rewrite.h"
#include "quantize/low_float.h"

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
    std::vector<std::string> names;
    names.reserve(node.outputs.size());
    for (const Value* made : node.outputs) names.push_back(made == nullptr ? "" : made->name);
    Node* copy = target_.add_node(node.op, std::move(inputs), names, node.attributes, node.domain);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == nullptr) continue;
      copy->outputs[i]->type = node.outputs[i]->type;
      copies_[node.outputs[i]] = copy->outputs[i];
    }
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

// Makes the value the output; with a decision rounded, as are the inputs.
Status finish_isolated(Graph& alone, const std::string& last, const QuantDecision* decision) {
  Value* result = alone.find_value(last);
  if (decision == nullptr) {
    alone.add_output(result);
  } else {
    EDGEWRIGHT_TRY(insert_qdq(alone, *decision, QdqForm::kNodes));
    const auto it = decision->activations.find(last);
    if (it != decision->activations.end()) {
      result = round_value(alone, result, it->second, QdqForm::kNodes, nullptr);
      result = result->producer->inputs[0];  // the integers
    }
    alone.add_output(result);
    read_integers(alone);
  }
  alone.remove_dead();
  rename_all(alone);
  return {};
}

bool is_move(const Node& node) {
  constexpr std::string_view kMoves[] = {"Gather",  "Reshape",   "Slice",    "Split",
                                         "Squeeze", "Transpose", "Unsqueeze"};
  return node.domain.empty() && std::ranges::find(kMoves, node.op) != std::end(kMoves);
}

// The product of two activations that weighs with the softmax of this product; null where there is
// none. `between`: what lies between them.
const Node* joined_product(const Node* product, std::vector<const Node*>& between) {
  constexpr int kMostNodes = 6;  // scale, mask, softmax and a cast or two
  bool softmax = false;
  const Node* node = product;
  for (int i = 0; i < kMostNodes; ++i) {
    const Node* next = single_user(node->outputs[0]);
    if (next == nullptr || next->outputs.size() != 1) return nullptr;
    if (next->is("MatMul")) {
      const bool two = !next->inputs[0]->is_constant() && !next->inputs[1]->is_constant();
      return softmax && two ? next : nullptr;
    }
    const bool joins = next->is("Softmax") || next->is("Mul") || next->is("Div") || next->is("Add");
    if (!joins) return nullptr;
    softmax = softmax || next->is("Softmax");
    between.push_back(next);
    node = next;
  }
  return nullptr;
}

// The nodes that only move elements on the way to the value.
void add_moves_before(const Value* value, std::set<const Node*>& members) {
  while (value->producer != nullptr && is_move(*value->producer)) {
    members.insert(value->producer);
    value = value->producer->inputs[0];
  }
}

const Node* move_behind(const Value* value) {
  const Node* user = single_user(value);
  const bool moves = user != nullptr && is_move(*user) && user->inputs[0] == value;
  return moves && user->outputs.size() == 1 ? user : nullptr;
}

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
  EDGEWRIGHT_TRY(finish_isolated(*alone, last->name, decision));
  return alone;
}

std::vector<LayerUnit> layer_units(const QuantSites& sites) {
  std::vector<LayerUnit> units;
  for (const QuantLayer& scores : sites.layers) {
    if (scores.role != QuantRole::kCompute || scores.weights >= 0) continue;
    std::vector<const Node*> between;
    const Node* weighing = joined_product(scores.node, between);
    const auto is_weighing = [&](const QuantLayer& layer) { return layer.node == weighing; };
    if (weighing == nullptr || std::ranges::none_of(sites.layers, is_weighing)) continue;
    LayerUnit unit;
    unit.layers = {scores.name(), weighing->outputs[0]->name};
    std::set<const Node*> members(between.begin(), between.end());
    members.insert({scores.node, weighing});
    for (const Node* product : {static_cast<const Node*>(scores.node), weighing}) {
      for (const Value* input : product->inputs) add_moves_before(input, members);
    }
    unit.result = weighing->outputs[0];
    while (const Node* move = move_behind(unit.result)) {
      members.insert(move);
      unit.result = move->outputs[0];
    }
    for (const Node& node : scores.node->graph->nodes()) {
      if (members.contains(&node)) unit.nodes.push_back(&node);
    }
    units.push_back(std::move(unit));
  }
  return units;
}

Result<std::unique_ptr<Graph>> isolated_unit(const LayerUnit& unit, const QuantDecision* decision) {
  auto alone = std::make_unique<Graph>();
  Isolator isolator(*alone);
  for (const Node* node : unit.nodes) {
    for (const Value* input : node->inputs) {
      if (input == nullptr || input->is_constant() || has_shape(input)) continue;
      return unsupported("layer '{}': its shapes are not known", unit.layers[0]);
    }
    isolator.add(*node);
  }
  EDGEWRIGHT_TRY(finish_isolated(*alone, unit.result->name, decision));
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

namespace {

// A layer as isolated_layer() has it, with its arithmetic in 16 bits.
Result<std::unique_ptr<Graph>> isolated_low_layer(const Graph& graph, const std::string& layer,
                                                  DType dtype) {
  EDGEWRIGHT_ASSIGN(auto alone, isolated_layer(graph, layer, nullptr));
  LowFloatOptions options;
  options.dtype = dtype;
  convert_low_float(*alone, options);
  EDGEWRIGHT_TRY(alone->sort_topologically());
  rename_all(*alone);
  return alone;
}

}  // namespace

Result<LayerCosts> LayerCosts::measure(Graph& graph, const QuantSites& sites,
                                       const QuantDecision& decision, LatencyMeter& meter,
                                       const Progress& progress, std::span<const DType> low) {
  Measurer measurer;
  std::map<std::string, std::pair<size_t, size_t>> layers;
  std::map<std::pair<std::string, DType>, size_t> low_layers;
  std::map<std::string, size_t> roundings;
  for (const QuantLayer& layer : sites.layers) {
    const std::string& name = layer.name();
    EDGEWRIGHT_ASSIGN(auto real, isolated_layer(graph, name, nullptr));
    EDGEWRIGHT_ASSIGN(auto integer, isolated_layer(graph, name, &decision));
    layers[name] = {measurer.add(std::move(real)), measurer.add(std::move(integer))};
    for (const DType dtype : low) {
      if (layer.weights < 0) continue;
      EDGEWRIGHT_ASSIGN(auto narrow, isolated_low_layer(graph, name, dtype));
      low_layers[{name, dtype}] = measurer.add(std::move(narrow));
    }
  }
  std::vector<LayerUnit> units = layer_units(sites);
  std::vector<std::pair<size_t, size_t>> of_units;
  for (const LayerUnit& unit : units) {
    EDGEWRIGHT_ASSIGN(auto real, isolated_unit(unit, nullptr));
    EDGEWRIGHT_ASSIGN(auto integer, isolated_unit(unit, &decision));
    of_units.emplace_back(measurer.add(std::move(real)), measurer.add(std::move(integer)));
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
  const auto times = [&](const std::pair<size_t, size_t>& pair) -> Pair {
    const Latency& real = measurer.of(pair.first);
    const Latency& integer = measurer.of(pair.second);
    return {real.median_us, integer.median_us, real.tuned && integer.tuned};
  };
  for (const auto& [name, pair] : layers) costs.layers_[name] = times(pair);
  for (const auto& [key, index] : low_layers) costs.low_us_[key] = measurer.of(index).median_us;
  for (size_t u = 0; u < units.size(); ++u) {
    Unit unit{std::move(units[u].layers), times(of_units[u]), {}};
    for (const Node* node : units[u].nodes) {
      for (const Value* made : node->outputs) {
        if (made != nullptr) unit.inside.insert(made->name);
      }
    }
    costs.units_.push_back(std::move(unit));
  }
  for (const auto& [name, index] : roundings) {
    costs.rounding_us_[name] = measurer.of(index).median_us;
  }
  return costs;
}

double LayerCosts::float_us(const std::string& layer, DType dtype) const {
  constexpr double kLeastGain = 0.03;
  const double plain_us = layers_.at(layer).float_us;
  const auto it = low_us_.find({layer, dtype});
  const bool quicker = it != low_us_.end() && it->second < (1 - kLeastGain) * plain_us;
  return quicker ? it->second : plain_us;
}

double LayerCosts::total_us(const QuantSites& sites,
                            const std::map<std::string, DType>& low) const {
  std::set<std::string_view> integer;
  for (const QuantLayer& layer : sites.layers) integer.insert(layer.name());
  double sum = 0;
  for (const auto& [name, pair] : layers_) {
    const auto narrow = low.find(name);
    const DType dtype = narrow == low.end() ? DType::kFloat32 : narrow->second;
    sum += integer.contains(name) ? pair.integer_us : float_us(name, dtype);
  }
  std::set<std::string_view> inside;  // rounded within a unit
  for (const Unit& unit : units_) {
    const auto is_integer = [&](const std::string& name) { return integer.contains(name); };
    const bool all = std::ranges::all_of(unit.layers, is_integer);
    // Of two types it is no unit: its layers count one by one.
    if (!all && std::ranges::any_of(unit.layers, is_integer)) continue;
    sum += all ? unit.times.integer_us : unit.times.float_us;
    for (const std::string& name : unit.layers) {
      const Pair& pair = layers_.at(name);
      sum -= all ? pair.integer_us : pair.float_us;
    }
    if (all) inside.insert(unit.inside.begin(), unit.inside.end());
  }
  const auto reads_integers = [&](const Use& use) {
    const Value* made = use.node->output(0);
    return made != nullptr && integer.contains(made->name);
  };
  for (const QuantPoint& point : sites.points) {
    const bool fused = integer.contains(made_by(point.value)->name) &&
                       std::ranges::all_of(point.value->uses, reads_integers);
    if (inside.contains(point.value->name)) continue;
    const auto it = rounding_us_.find(point.value->name);
    if (!fused && it != rounding_us_.end()) sum += it->second;
  }
  return sum;
}

}  // namespace edgewright
