#include "api/mixed/blocks.h"

#include <algorithm>
#include <map>

#include "graph/cost.h"

namespace edgewright {
namespace {

// More tensors than this at every place: the graph stays whole.
constexpr size_t kMostLive = 6;
// A node's work is its multiply-adds, and so much for every element that it makes.
constexpr double kWorkOfElement = 8;

class Order {
 public:
  explicit Order(const Graph& graph) : graph_(graph) {
    for (const Node& node : graph.nodes()) {
      index_[&node] = nodes_.size();
      nodes_.push_back(&node);
    }
  }

  const std::vector<const Node*>& nodes() const { return nodes_; }
  size_t end() const { return nodes_.size(); }

  // The node of the main graph that reads: itself, or the one in whose subgraph it lies.
  size_t reader(const Node& node) const {
    const Node* at = &node;
    while (at->graph != &graph_) at = at->graph->parent;
    return index_.at(at);
  }
  // The last node that reads the value; end() for an output of the graph.
  size_t last_reader(const Value& value) const {
    if (value.is_graph_output()) return end();
    size_t last = 0;
    for (const Use& use : value.uses) last = std::max(last, reader(*use.node));
    return last;
  }

 private:
  const Graph& graph_;
  std::map<const Node*, size_t> index_;
  std::vector<const Node*> nodes_;
};

bool can_travel(const Value& value) {
  return value.type.is_tensor() && value.type.dtype != DType::kString && value.type.shape &&
         known_dims(*value.type.shape).has_value();
}

double work_of(const Node& node) {
  double work = static_cast<double>(multiply_adds(node).value_or(0));
  for (const Value* output : node.outputs) {
    if (output == nullptr || !can_travel(*output)) continue;
    const Dims dims = known_dims(*output->type.shape).value_or(Dims{});
    double elements = 1;
    for (const int64_t dim : dims) {
      elements *= static_cast<double>(dim);
    }
    work += kWorkOfElement * elements;
  }
  return work;
}

// How many values go on from before node i to it or beyond, for every i; many where one of them is
// no tensor of known shape. Outputs of the graph do not count: they only wait.
std::vector<size_t> live_counts(const Order& order) {
  const size_t count = order.nodes().size();
  std::vector<size_t> live(count + 1, 0);
  for (size_t i = 0; i < count; ++i) {
    for (const Value* output : order.nodes()[i]->outputs) {
      if (output == nullptr) continue;
      size_t last = i;
      for (const Use& use : output->uses) last = std::max(last, order.reader(*use.node));
      const size_t weight = can_travel(*output) ? 1 : kMostLive + 1;
      for (size_t at = i + 1; at <= last; ++at) live[at] += weight;
    }
  }
  return live;
}

// Places with at most `limit` live values.
std::vector<size_t> narrow_places(const std::vector<size_t>& live, size_t limit) {
  std::vector<size_t> places;
  for (size_t at = 1; at + 1 < live.size(); ++at) {
    if (live[at] >= 1 && live[at] <= limit) places.push_back(at);
  }
  return places;
}

}  // namespace

std::vector<Block> blocks_of(const Graph& graph, size_t most) {
  const Order order(graph);
  const std::vector<size_t> live = live_counts(order);
  std::vector<size_t> places;
  for (size_t limit = 1; limit <= kMostLive && places.size() + 1 < most; ++limit) {
    places = narrow_places(live, limit);
  }
  std::vector<double> work_before = {0};
  for (const Node* node : order.nodes()) work_before.push_back(work_before.back() + work_of(*node));
  std::vector<Block> blocks;
  size_t first = 0;
  for (const size_t place : places) {
    const double step = work_before.back() / static_cast<double>(most);
    const bool is_enough = work_before[place] - work_before[first] >= step;
    if (!is_enough || blocks.size() + 1 >= most) continue;
    blocks.push_back({first, place});
    first = place;
  }
  blocks.push_back({first, order.end()});
  return blocks;
}

BlockPorts ports_of(const Graph& graph, const Block& block) {
  const Order order(graph);
  BlockPorts ports;
  for (size_t i = 0; i < block.end; ++i) {
    for (const Value* output : order.nodes()[i]->outputs) {
      if (output == nullptr) continue;
      if (i >= block.first && order.last_reader(*output) >= block.end) {
        ports.gives.push_back(output->name);
      }
      const auto reads = [&](const Use& use) {
        const size_t reader = order.reader(*use.node);
        return reader >= block.first && reader < block.end;
      };
      if (i < block.first && std::ranges::any_of(output->uses, reads)) {
        ports.takes.push_back(output->name);
      }
    }
  }
  return ports;
}

std::string node_label(const Graph& graph, size_t index) {
  const Node& node = *std::next(graph.nodes().begin(), static_cast<std::ptrdiff_t>(index));
  if (!node.name.empty()) return node.name;
  return node.output(0) == nullptr ? node.op : node.output(0)->name;
}

}  // namespace edgewright
