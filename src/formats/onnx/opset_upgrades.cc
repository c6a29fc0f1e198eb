#include "formats/onnx/opset_upgrades.h"

#include <algorithm>
#include <unordered_map>

#include "formats/onnx/type_inference.h"

namespace edgewright::onnx_io {
namespace {

using AdapterIndex = std::unordered_map<std::string_view, std::vector<const UpgradeAdapter*>>;

const AdapterIndex& adapter_index() {
  static const AdapterIndex index = [] {
    AdapterIndex made;
    for (const UpgradeAdapter& row : upgrade_adapters()) made[row.op].push_back(&row);
    for (auto& [op, rows] : made) std::ranges::sort(rows, {}, &UpgradeAdapter::version);
    return made;
  }();
  return index;
}

// The next change of meaning above `version`, or null.
const UpgradeAdapter* next_adapter(const Node& node, int version) {
  const auto it = adapter_index().find(node.op);
  if (it == adapter_index().end()) return nullptr;
  const auto row = std::ranges::find_if(it->second, [&](const UpgradeAdapter* adapter) {
    return adapter->version > version && adapter->domain == node.domain;
  });
  return row == it->second.end() ? nullptr : *row;
}

class Upgrader {
 public:
  Upgrader(const Opsets& opsets, const NodeOpsets& special) : opsets_(opsets), special_(special) {}

  Status upgrade(Graph& graph) {
    return upgrade(graph, graph.nodes().begin(), graph.nodes().end());
  }

  Status upgrade(Graph& graph, std::list<Node>::iterator it, std::list<Node>::iterator last) {
    // Adapters insert nodes before and behind the one they change; all of them get types.
    while (it != last) {
      Node* node = &*it;
      const bool at_front = it == graph.nodes().begin();
      const auto previous = at_front ? it : std::prev(it);
      ++it;
      // An adapter may wrap a body in another; it gets one that is upgraded already.
      const bool wraps = !node->subgraphs.empty() && next_adapter(*node, version_of(*node));
      if (wraps) EDGEWRIGHT_TRY(upgrade_subgraphs(*node));
      EDGEWRIGHT_TRY(upgrade_node(node));
      const auto first = at_front ? graph.nodes().begin() : std::next(previous);
      for (auto made = first; made != it; ++made) EDGEWRIGHT_TRY(type_node(*made, !wraps));
    }
    return {};
  }

 private:
  int version_of(const Node& node) const {
    const auto special = special_.find(&node);
    const Opsets& opsets = special == special_.end() ? opsets_ : *special->second;
    const auto it = opsets.find(node.domain);
    return it == opsets.end() ? kCanonicalOpset : it->second;
  }

  Status upgrade_node(Node*& node) const {
    int version = version_of(*node);
    const std::string op = node->op;
    while (const UpgradeAdapter* adapter = next_adapter(*node, version)) {
      const std::string name =
          node->name.empty() && node->output(0) != nullptr ? node->output(0)->name : node->name;
      if (auto status = adapter->adapt(node); !status.ok()) {
        return std::move(status).error().at(
            fmt::format("node '{}' ({}) of opset {}", name, op, version));
      }
      version = adapter->version;
    }
    return {};
  }

  Status upgrade_subgraphs(Node& node) {
    for (auto& [name, subgraph] : node.subgraphs) EDGEWRIGHT_TRY(upgrade(*subgraph));
    return {};
  }

  // Types of one upgraded node. What contradicts here is a matter for whoever asks for types; a
  // model whose declared types are stale must still be readable.
  Status type_node(Node& node, bool enter) {
    const TypeInferer& types = onnx_type_inferer();
    if (node.subgraphs.empty()) {
      static_cast<void>(types.infer(node));
      return {};
    }
    // The first run gives the inputs of the bodies their types.
    static_cast<void>(types.infer(node));
    if (enter) EDGEWRIGHT_TRY(upgrade_subgraphs(node));
    static_cast<void>(types.infer(node));
    return {};
  }

  const Opsets& opsets_;
  const NodeOpsets& special_;
};

}  // namespace

Status upgrade(Graph& graph, const Opsets& opsets, const NodeOpsets& special) {
  return Upgrader(opsets, special).upgrade(graph);
}

Status upgrade(Graph& graph, std::list<Node>::iterator first, std::list<Node>::iterator last,
               const Opsets& opsets, const NodeOpsets& special) {
  return Upgrader(opsets, special).upgrade(graph, first, last);
}

}  // namespace edgewright::onnx_io
