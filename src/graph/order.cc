// Topological order and the rules of a well-formed graph.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "graph/graph.h"

namespace edgewright {
namespace {

// The values of `graph` that a node needs, those that its subgraphs capture included.
void collect_needs(const Graph& graph, const Node& node, std::vector<const Value*>& needs) {
  for (const Value* input : node.inputs) {
    if (input != nullptr && input->graph == &graph) needs.push_back(input);
  }
  for (const auto& [attribute, subgraph] : node.subgraphs) {
    for (const Node& inner : subgraph->nodes()) collect_needs(graph, inner, needs);
  }
}

using Scope = std::unordered_set<const Value*>;

class Checker {
 public:
  void check(const Graph& graph, Scope visible) {
    std::unordered_set<std::string_view> names;
    for (const Value& value : graph.values()) {
      if (value.graph != &graph) report(graph, "value {} has another owner", value.name);
      if (!names.insert(value.name).second) report(graph, "two values named {}", value.name);
      if (value.producer == nullptr) visible.insert(&value);
      check_uses(graph, value);
    }
    for (const Node& node : graph.nodes()) check_node(graph, node, visible);
    for (const Value* output : graph.outputs()) {
      if (output == nullptr || output->graph != &graph || !visible.contains(output)) {
        report(graph, "output {} is not a value of the graph", output ? output->name : "(null)");
      }
    }
  }
  std::vector<std::string> messages;

 private:
  template <class... Args>
  void report(const Graph& graph, fmt::format_string<Args...> format, Args&&... args) {
    messages.push_back(
        fmt::format("graph {}: {}", graph.name, fmt::format(format, std::forward<Args>(args)...)));
  }

  void check_uses(const Graph& graph, const Value& value) {
    for (const Use& use : value.uses) {
      if (use.node->input(use.index) != &value) report(graph, "stale use of {}", value.name);
    }
  }

  void check_node(const Graph& graph, const Node& node, Scope& visible) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const Value* input = node.inputs[i];
      if (input == nullptr) continue;
      if (!visible.contains(input)) {
        report(graph, "node {} ({}) reads {} before it is made", node.name, node.op, input->name);
      } else if (std::ranges::find(input->uses, Use{const_cast<Node*>(&node), i}) ==
                 input->uses.end()) {
        report(graph, "node {} ({}) is missing in the uses of {}", node.name, node.op, input->name);
      }
    }
    for (const auto& [attribute, subgraph] : node.subgraphs) {
      if (subgraph->parent != &node) report(graph, "subgraph {} has another parent", attribute);
      check(*subgraph, visible);
    }
    for (const Value* output : node.outputs) {
      if (output == nullptr) continue;
      if (output->producer != &node) report(graph, "output {} has another producer", output->name);
      visible.insert(output);
    }
  }
};

}  // namespace

Status Graph::sort_topologically() {
  std::unordered_map<const Node*, size_t> missing;
  std::unordered_map<const Node*, std::vector<Node*>> followers;
  std::vector<const Value*> needs;
  std::list<Node> waiting;
  waiting.splice(waiting.end(), nodes_);
  std::vector<Node*> ready;
  for (Node& node : waiting) {
    needs.clear();
    collect_needs(*this, node, needs);
    size_t count = 0;
    for (const Value* need : needs) {
      if (need->producer == nullptr) continue;
      followers[need->producer].push_back(&node);
      ++count;
    }
    missing[&node] = count;
    if (count == 0) ready.push_back(&node);
  }
  for (size_t i = 0; i < ready.size(); ++i) {
    for (Node* follower : followers[ready[i]]) {
      if (--missing[follower] == 0) ready.push_back(follower);
    }
  }
  const bool complete = ready.size() == waiting.size();
  if (complete) {
    for (Node* node : ready) nodes_.splice(nodes_.end(), waiting, node->position);
    return {};
  }
  nodes_.splice(nodes_.end(), waiting);
  for (const Node& node : nodes_) {
    if (missing[&node] > 0) {
      return bad_input("the graph has a cycle through node '{}' ({})", node.name, node.op);
    }
  }
  return {};
}

std::vector<std::string> violations(const Graph& graph) {
  Checker checker;
  checker.check(graph, {});
  return std::move(checker.messages);
}

}  // namespace edgewright
