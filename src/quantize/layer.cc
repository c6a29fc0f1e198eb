#include "quantize/layer.h"

#include <algorithm>
#include <map>

#include "graph/cost.h"

namespace edgewright {
namespace {

constexpr struct {
  std::string_view op;
  QuantRole role;
} kRoles[] = {
    {"Conv", QuantRole::kCompute},
    {"ConvTranspose", QuantRole::kCompute},
    {"Gemm", QuantRole::kCompute},
    {"MatMul", QuantRole::kCompute},
    {"Add", QuantRole::kElementwise},
    {"AveragePool", QuantRole::kElementwise},
    {"Concat", QuantRole::kElementwise},
    {"GlobalAveragePool", QuantRole::kElementwise},
    {"DepthToSpace", QuantRole::kTransparent},
    {"Flatten", QuantRole::kTransparent},
    {"MaxPool", QuantRole::kTransparent},
    {"Reshape", QuantRole::kTransparent},
    {"Resize", QuantRole::kTransparent},
    {"SpaceToDepth", QuantRole::kTransparent},
    {"Squeeze", QuantRole::kTransparent},
    {"Transpose", QuantRole::kTransparent},
    {"Unsqueeze", QuantRole::kTransparent},
};

// What a layer before it applies to its sums before they are rounded.
constexpr std::string_view kActivations[] = {"Clip",      "Elu",       "Gelu", "HardSigmoid",
                                             "HardSwish", "LeakyRelu", "Relu", "Sigmoid",
                                             "Swish",     "Tanh"};

bool is_float32(const Value* value) {
  return value != nullptr && value->type.is_tensor() && value->type.dtype == DType::kFloat32;
}

const Tensor* weights_at(const Node& node, size_t index) {
  const Tensor* tensor = node.constant_input(index);
  const bool fits = tensor != nullptr && tensor->dtype() == DType::kFloat32 && tensor->rank() >= 2;
  return fits ? tensor : nullptr;
}

bool is_vector(const Value* value) {
  return value != nullptr && value->is_constant() && value->constant->dtype() == DType::kFloat32 &&
         value->constant->rank() == 1;
}

std::optional<QuantLayer> convolution(Node& node, QuantLayer layer) {
  if (weights_at(node, 1) == nullptr || !is_float32(node.input(0))) return std::nullopt;
  const bool transposed = node.op == "ConvTranspose";
  const bool grouped = node.attributes.get_int("group", 1) != 1;
  layer.activations = {0};
  layer.weights = 1;
  // The output channels of a grouped ConvTranspose are spread over two axes of its weights.
  layer.weight_axis = !transposed ? 0 : grouped ? -1 : 1;
  if (node.input(2) != nullptr) {
    if (!is_vector(node.input(2))) return std::nullopt;
    layer.bias = 2;
  }
  return layer;
}

std::optional<QuantLayer> matrix_product(Node& node, QuantLayer layer) {
  if (!is_float32(node.input(0)) || !is_float32(node.input(1))) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    const Value* value = node.input(i);
    if (!value->is_constant()) {
      layer.activations.push_back(i);
    } else if (weights_at(node, i) != nullptr && layer.weights < 0) {
      layer.weights = static_cast<int>(i);
    } else {
      return std::nullopt;
    }
  }
  if (layer.activations.empty()) return std::nullopt;
  // Columns of a right factor are output channels; rows of a left one are, but QLinearMatMul knows
  // no scales for them.
  const bool matrix = layer.weights == 1 && node.constant_input(1)->rank() == 2;
  layer.weight_axis = matrix ? 1 : -1;
  return layer;
}

std::optional<QuantLayer> gemm(Node& node, QuantLayer layer) {
  const Attributes& attributes = node.attributes;
  const bool plain = attributes.get_float("alpha", 1) == 1 &&
                     attributes.get_float("beta", 1) == 1 && attributes.get_int("transA", 0) == 0;
  if (!plain || weights_at(node, 1) == nullptr || !is_float32(node.input(0)) ||
      node.input(0)->is_constant()) {
    return std::nullopt;
  }
  layer.activations = {0};
  layer.weights = 1;
  layer.weight_axis = attributes.get_int("transB", 0) != 0 ? 0 : 1;
  if (is_vector(node.input(2))) {
    const int64_t columns = node.constant_input(1)->dim(static_cast<size_t>(layer.weight_axis));
    if (node.constant_input(2)->dim(0) == columns) layer.bias = 2;
  }
  return layer;
}

std::optional<QuantLayer> elementwise(Node& node, QuantLayer layer) {
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!is_float32(node.input(i)) || node.input(i)->is_constant()) return std::nullopt;
    layer.activations.push_back(i);
  }
  return layer;
}

bool is_activation(const Node& node) {
  return node.domain.empty() && std::ranges::find(kActivations, node.op) != std::end(kActivations);
}

// Whether the numbers that a Resize makes lie between those that it reads, so that their scale
// suits: the nearest one, or two neighbours mixed. Cubic ones overshoot, crops bring in a number.
bool keeps_range(const Node& resize) {
  const std::string mode = resize.attributes.get_string("mode", "nearest");
  const std::string at =
      resize.attributes.get_string("coordinate_transformation_mode", "half_pixel");
  return mode == "nearest" || (mode == "linear" && at != "tf_crop_and_resize");
}

bool in_subgraph(const Use& use, const Graph& graph) { return use.node->graph != &graph; }

// Decides by walking back from the end which nodes between the layers run in integers too.
class SiteFinder {
 public:
  SiteFinder(Graph& graph, const SiteOptions& options) : graph_(graph), options_(options) {}

  QuantSites find() {
    for (Node& node : graph_.nodes()) {
      auto layer = quant_layer(node);
      if (!layer || options_.excluded.contains(layer->name())) continue;
      candidates_.emplace(&node, *layer);
      if (layer->role == QuantRole::kCompute) chosen_.insert(&node);
    }
    if (options_.chains) {
      for (auto node = graph_.nodes().rbegin(); node != graph_.nodes().rend(); ++node)
        consider(*node);
      drop_without_source();
    }
    return collect();
  }

 private:
  // Whether everything that reads the value (behind activations) runs in integers.
  bool only_integer_users(const Value* value) const {
    if (value->uses.empty() || value->is_graph_output()) return false;
    return std::ranges::all_of(value->uses, [&](const Use& use) {
      if (in_subgraph(use, graph_)) return false;
      if (chosen_.contains(use.node)) return true;
      return is_activation(*use.node) && only_integer_users(use.node->outputs[0]);
    });
  }

  void consider(Node& node) {
    const auto it = candidates_.find(&node);
    if (it == candidates_.end() || it->second.role == QuantRole::kCompute) return;
    if (!only_integer_users(node.outputs[0])) return;
    // The scale of a value that others read as well would be that of all of them.
    const bool alone = node.inputs[0]->uses.size() == 1;
    if (it->second.role == QuantRole::kTransparent && !alone) return;
    chosen_.insert(&node);
  }

  // Integer operators that no integer layer feeds would only add rounding: they go again.
  void drop_without_source() {
    std::set<const Value*> integer;  // made by integer layers, activations included
    for (Node& node : graph_.nodes()) {
      const auto is_integer = [&](const Value* value) { return integer.contains(value); };
      const bool fed =
          !node.inputs.empty() && node.inputs[0] != nullptr && is_integer(node.inputs[0]);
      if (is_activation(node) && fed) integer.insert(node.outputs[0]);
      if (!chosen_.contains(&node)) continue;
      const QuantLayer& layer = candidates_.at(&node);
      const bool sound = layer.role == QuantRole::kCompute ||
                         std::ranges::all_of(layer.activations,
                                             [&](size_t i) { return is_integer(node.inputs[i]); });
      if (sound) {
        integer.insert(node.outputs[0]);
      } else {
        chosen_.erase(&node);
      }
    }
  }

  void add_point(Value* value, Value* source) {
    if (!seen_.insert(value).second) return;
    const auto it = source_of_.find(source);
    source_of_[value] = it == source_of_.end() ? source : it->second;
    sites_.points.push_back({value, source_of_[value]});
  }

  // The value behind what a layer does after its sums: a constant row added to a product, an
  // activation that bounds.
  static Value* end_of(const Node& node) {
    Value* end = node.outputs[0];
    const auto next = [&end]() -> const Node* {
      return end->uses.size() == 1 && !end->is_graph_output() ? end->uses[0].node : nullptr;
    };
    const Node* sum = node.is("MatMul") ? next() : nullptr;
    if (sum != nullptr && sum->is("Add") && is_vector(sum->input(1 - end->uses[0].index))) {
      end = sum->outputs[0];
    }
    const Node* bound = next();
    if (bound != nullptr && (bound->is("Relu") || bound->is("Clip"))) end = bound->outputs[0];
    return end;
  }

  void round_outputs() {
    for (const QuantLayer& layer : sites_.layers) {
      if (layer.role == QuantRole::kTransparent) continue;
      Value* end = end_of(*layer.node);
      add_point(end, end);
      sites_.whole.insert(end->name);
    }
  }

  QuantSites collect() {
    collect_inputs();
    if (options_.outputs) round_outputs();
    return std::move(sites_);
  }

  void collect_inputs() {
    for (Node& node : graph_.nodes()) {
      if (!chosen_.contains(&node)) continue;
      const QuantLayer& layer = candidates_.at(&node);
      sites_.layers.push_back(layer);
      // Joined values share the scale of what they become, so that joining only moves bytes.
      const bool joins = node.op == "Concat";
      for (const size_t i : layer.activations) {
        add_point(node.inputs[i], joins ? node.outputs[0] : node.inputs[i]);
      }
      if (joins) add_point(node.outputs[0], node.outputs[0]);
      if (layer.role == QuantRole::kTransparent) add_point(node.outputs[0], node.inputs[0]);
    }
  }

  Graph& graph_;
  const SiteOptions& options_;
  std::map<Node*, QuantLayer> candidates_;
  std::set<Node*> chosen_;
  std::set<Value*> seen_;
  std::map<Value*, Value*> source_of_;
  QuantSites sites_;
};

}  // namespace

QuantRole quant_role(const Node& node) {
  if (!node.domain.empty()) return QuantRole::kNone;
  const auto* it = std::ranges::find_if(kRoles, [&](const auto& row) { return row.op == node.op; });
  return it == std::end(kRoles) ? QuantRole::kNone : it->role;
}

std::optional<QuantLayer> quant_layer(Node& node) {
  QuantLayer layer;
  layer.node = &node;
  layer.role = quant_role(node);
  if (layer.role == QuantRole::kNone || node.outputs.empty() || node.outputs[0] == nullptr) {
    return std::nullopt;
  }
  if (node.op == "Conv" || node.op == "ConvTranspose") return convolution(node, layer);
  if (node.op == "MatMul") return matrix_product(node, layer);
  if (node.op == "Gemm") return gemm(node, layer);
  if (layer.role == QuantRole::kElementwise) return elementwise(node, layer);
  if (node.op == "Resize" && !keeps_range(node)) return std::nullopt;
  // The second output of MaxPool are indices.
  const bool movable = is_float32(node.input(0)) && !node.input(0)->is_constant();
  if (!movable || node.outputs.size() != 1) return std::nullopt;
  layer.activations = {0};
  return layer;
}

std::vector<QuantLayer> compute_layers(Graph& graph) {
  std::vector<QuantLayer> layers;
  for (Node& node : graph.nodes()) {
    auto layer = quant_layer(node);
    if (layer && layer->role == QuantRole::kCompute) layers.push_back(*layer);
  }
  return layers;
}

QuantSites find_sites(Graph& graph, const SiteOptions& options) {
  return SiteFinder(graph, options).find();
}

MacShare mac_share(const Graph& graph, const std::set<std::string>& layers) {
  MacShare result;
  for (const Node& node : graph.nodes()) {
    const int64_t macs = multiply_adds(node).value_or(0);
    result.total += macs;
    const Value* made = node.output(0);
    if (made != nullptr && layers.contains(made->name)) result.quantized += macs;
  }
  return result;
}

}  // namespace edgewright
