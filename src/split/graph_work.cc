#include <algorithm>
#include <map>
#include <set>

#include "graph/cost.h"
#include "split/work.h"

namespace edgewright {
namespace {

// The node of the outermost graph in which something happens.
const Node* outermost(const Node* node, const Graph& graph) {
  while (node->graph != &graph) node = node->graph->parent;
  return node;
}

// Nodes whose results depend on what is given at run time: they use an input or such a result, or
// capture one, or draw random numbers.
std::set<const Node*> dependent_nodes(const Graph& graph) {
  std::set<const Node*> dependent;
  const auto mark_users = [&](const Value& value) {
    for (const Use& use : value.uses) dependent.insert(outermost(use.node, graph));
  };
  for (const Value* input : graph.inputs()) {
    if (!input->is_constant()) mark_users(*input);
  }
  for (const Node& node : graph.nodes()) {
    if (node.op.starts_with("Random") || node.is("Bernoulli") || node.is("Multinomial")) {
      dependent.insert(&node);
    }
    if (!dependent.contains(&node)) continue;
    for (const Value* output : node.outputs) {
      if (output != nullptr) mark_users(*output);
    }
  }
  return dependent;
}

std::string layer_name(const Node& node) {
  if (!node.name.empty()) return node.name;
  for (const Value* output : node.outputs) {
    if (output != nullptr) return output->name;
  }
  return node.op;
}

Result<double> size_of(const Value& value) {
  const auto dims =
      value.type.is_tensor() && value.type.shape ? known_dims(*value.type.shape) : std::nullopt;
  if (!dims) {
    return unsupported(
        "value '{}' has type {}, expected a tensor whose shape is known; fix the input's shape "
        "with --shape",
        value.name, type_text(value.type));
  }
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(*dims));
  return static_cast<double>(dtype_bytes(value.type.dtype, static_cast<size_t>(count)));
}

class Builder {
 public:
  explicit Builder(const Graph& graph) : graph_(graph) {}

  Result<GraphWork> build() {
    const auto dependent = dependent_nodes(graph_);
    add_layer("input", nullptr);
    for (const Node& node : graph_.nodes()) {
      if (!dependent.contains(&node)) continue;
      indices_[&node] = result_.nodes.size();
      add_layer(layer_name(node), &node);
    }
    for (const Value* input : graph_.inputs()) {
      if (!input->is_constant()) EDGEWRIGHT_TRY(add_tensor(*input, 0));
    }
    for (size_t layer = 1; layer < result_.nodes.size(); ++layer) {
      for (const Value* output : result_.nodes[layer]->outputs) {
        if (output != nullptr) EDGEWRIGHT_TRY(add_tensor(*output, layer));
      }
      add_weights(layer);
      const auto multiply_adds_of = multiply_adds(*result_.nodes[layer]);
      result_.work.layers[layer].flops += 2 * static_cast<double>(multiply_adds_of.value_or(0));
    }
    for (const Value* output : graph_.outputs()) EDGEWRIGHT_TRY(add_result(*output));
    return std::move(result_);
  }

 private:
  void add_layer(std::string name, const Node* node) {
    result_.work.layers.push_back({std::move(name)});
    result_.nodes.push_back(node);
  }

  Status add_tensor(const Value& value, size_t producer) {
    SplitTensor tensor{value.name, producer, {}, 0};
    for (const Use& use : value.uses) {
      const auto it = indices_.find(outermost(use.node, graph_));
      if (it != indices_.end() && it->second != producer) tensor.consumers.push_back(it->second);
    }
    std::ranges::sort(tensor.consumers);
    const auto repeated = std::ranges::unique(tensor.consumers);
    tensor.consumers.erase(repeated.begin(), repeated.end());
    if (tensor.consumers.empty() && !value.is_graph_output()) return {};
    EDGEWRIGHT_ASSIGN(tensor.size_bytes, size_of(value));
    auto& layers = result_.work.layers;
    // What only few elements need of an input is sent whole all the same.
    layers[producer].moved_bytes += producer == 0 ? 0 : tensor.size_bytes;
    layers[producer].flops += producer == 0 ? 0 : tensor.size_bytes / 4;
    for (const size_t consumer : tensor.consumers) {
      layers[consumer].moved_bytes += tensor.size_bytes;
    }
    result_.work.tensors.push_back(std::move(tensor));
    return {};
  }

  // A constant is counted for the first layer that uses it.
  void add_weights(size_t layer) {
    for (const Value* input : result_.nodes[layer]->inputs) {
      if (input == nullptr || !input->is_constant()) continue;
      const auto size_bytes = static_cast<double>(input->constant->size_bytes());
      result_.work.layers[layer].moved_bytes += size_bytes;
      if (counted_.insert(input).second) result_.work.layers[layer].weight_bytes += size_bytes;
    }
  }

  Status add_result(const Value& value) {
    const auto it = value.producer == nullptr ? indices_.end() : indices_.find(value.producer);
    // Inputs and constants that are passed on are where the caller is already.
    if (it == indices_.end()) return {};
    EDGEWRIGHT_ASSIGN(const double size_bytes, size_of(value));
    result_.work.layers[it->second].result_bytes += size_bytes;
    return {};
  }

  const Graph& graph_;
  GraphWork result_;
  std::map<const Node*, size_t> indices_;
  std::set<const Value*> counted_;
};

}  // namespace

Result<GraphWork> graph_work(const Graph& graph) { return Builder(graph).build(); }

}  // namespace edgewright
