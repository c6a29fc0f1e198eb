// Before: y... = Loop(trip count 0 or 1, condition, x...).
// After: trip count 0: x in place of y. Trip count 1: the nodes of the body, once, in place.
// Conditions: no scan outputs in use for trip count 0; the start condition is absent or true.
// A body that ends early after its only iteration changes nothing.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

bool starts(const Node& node) {
  if (node.input(1) == nullptr) return true;
  const auto condition = scalar_constant(node.input(1));
  return condition && *condition != 0;
}

// Initial values where the loop never runs; empty when it cannot be told.
std::optional<std::vector<Value*>> results_without_iteration(const Node& node, size_t carried) {
  std::vector<Value*> results;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == nullptr) {
      results.push_back(nullptr);
      continue;
    }
    if (i >= carried || !can_replace(node.outputs[i], node.input(i + 2))) return std::nullopt;
    results.push_back(node.input(i + 2));
  }
  return results;
}

std::vector<Value*> results_of_one_iteration(PassContext& context, Graph& graph, Node& node,
                                             const Graph& body, size_t carried) {
  std::vector<Value*> arguments;
  arguments.push_back(graph.add_constant("iteration", Tensor::scalar<int64_t>(0)));
  arguments.push_back(graph.add_constant("condition", Tensor::scalar<bool>(true)));
  for (size_t i = 0; i < carried; ++i) arguments.push_back(node.input(i + 2));
  std::vector<Value*> made = inline_graph(body, arguments, graph, &node);
  made.erase(made.begin());
  Value* front = nullptr;
  for (size_t i = carried; i < made.size(); ++i) {
    if (node.output(i) == nullptr) continue;
    if (front == nullptr) front = add_int_constant(graph, "axes", {0});
    made[i] = insert_node(context, graph, &node, "Unsqueeze", {made[i], front}, "scan")->outputs[0];
  }
  return made;
}

}  // namespace

Result<bool> fold_loop(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Loop", [&](Graph& owner, Node& node) -> Result<bool> {
    const auto trips = scalar_constant(node.input(0));
    const Graph* body = node.subgraph("body");
    if (!trips || *trips > 1 || body == nullptr || !starts(node)) return false;
    const size_t carried = node.inputs.size() - 2;
    if (body->inputs().size() != carried + 2 || body->outputs().size() < node.outputs.size() + 1) {
      return false;
    }
    std::vector<Value*> results;
    if (*trips <= 0) {
      auto initial = results_without_iteration(node, carried);
      if (!initial) return false;
      results = *std::move(initial);
    }
    if (!context.allow(node)) return false;
    if (*trips == 1) results = results_of_one_iteration(context, owner, node, *body, carried);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      Value* output = node.outputs[i];
      if (output == nullptr || replace_value(output, results[i])) continue;
      Node* copy = insert_node(context, owner, &node, "Identity", {results[i]}, output->name);
      replace_value(output, copy->outputs[0]);
    }
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
