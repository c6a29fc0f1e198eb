// Before: ReduceMean over all axes behind the channels.
// After: GlobalAveragePool, which works on blocks of channels too, and a Reshape where those axes
// go. Conditions: float32, known shapes, three axes or more.
#include <algorithm>

#include "passes/lower/lower.h"

namespace edgewright {
namespace {

bool reduces_image(const Node& node, size_t rank) {
  const auto given = int_constant(node.input(1));
  const auto axes = given ? normalised_axes(*given, rank) : std::nullopt;
  if (!axes || axes->size() != rank - 2) return false;
  std::vector<bool> reduced(rank);
  for (const int64_t axis : *axes) reduced[static_cast<size_t>(axis)] = true;
  return !reduced[0] && !reduced[1] &&
         std::count(reduced.begin(), reduced.end(), true) == static_cast<std::ptrdiff_t>(rank - 2);
}

Result<bool> lower_one(PassContext& context, Node& node) {
  if (!node.domain.empty() || !is_static_float(node.input(0)) || !is_static_float(node.output(0))) {
    return false;
  }
  const Dims dims = *static_dims(node.inputs[0]);
  // Only where a convolution is near the pool has something to gain from it.
  const bool from_image = producer(node.inputs[0], "Conv2d", kEngineDomain) != nullptr ||
                          producer(node.inputs[0], "QuantizedConv2d", kEngineDomain) != nullptr ||
                          producer(node.inputs[0], "Elementwise", kEngineDomain) != nullptr;
  if (dims.size() < 3 || !from_image || !reduces_image(node, dims.size())) return false;
  if (!context.allow(node)) return false;
  Dims pooled_dims(dims.size(), 1);
  pooled_dims[0] = dims[0];
  pooled_dims[1] = dims[1];
  Graph& graph = *node.graph;
  Value* last = node.outputs[0];
  const std::string name = last->name;
  Node* pool =
      insert_node(context, graph, &node, "GlobalAveragePool", {node.inputs[0]}, name + "_pooled");
  pool->name = node.name;
  pool->outputs[0]->type = ValueType::tensor(DType::kFloat32, to_shape(pooled_dims));
  Value* target = add_int_constant(graph, name + "_shape", *static_dims(last));
  Node* reshape = insert_node(context, graph, &node, "Reshape", {pool->outputs[0], target}, name);
  reshape->outputs[0]->type = last->type;
  graph.replace_uses(last, reshape->outputs[0]);
  erase_if_dead(&node);
  graph.rename(reshape->outputs[0], name);
  return true;
}

}  // namespace

Result<bool> lower_mean(Graph& graph, PassContext& context) {
  return lower_nodes(graph, {"ReduceMean"}, [&](Node& node) { return lower_one(context, node); });
}

}  // namespace edgewright
