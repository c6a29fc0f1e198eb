// Before: Clip or Relu of a Clip or Relu.      After: one of them.
// clip(clip(x, a, b), c, d) = clip(x, clip(a, c, d), clip(b, c, d)), a Relu being clip(x, 0, inf).
// Conditions: constant bounds of float32, the inner one with a <= b; the inner result is used here
// only.
#include <algorithm>
#include <limits>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

std::optional<Bounds> bounds_of(const Node& node) {
  if (dtype_of(node.output(0)) != DType::kFloat32) return std::nullopt;
  Bounds bounds;
  if (node.is("Relu")) {
    bounds.low = 0;
    return bounds;
  }
  if (!node.is("Clip")) return std::nullopt;
  for (const size_t i : {size_t{1}, size_t{2}}) {
    if (node.input(i) == nullptr) continue;
    const auto bound = scalar_constant(node.input(i));
    if (!bound) return std::nullopt;
    (i == 1 ? bounds.low : bounds.high) = *bound;
  }
  if (!(bounds.low <= bounds.high)) return std::nullopt;
  return bounds;
}

Value* bound_constant(Graph& graph, std::string_view name, double bound) {
  if (std::abs(bound) > std::numeric_limits<float>::max()) return nullptr;
  return graph.add_constant(std::string(name), Tensor::scalar(static_cast<float>(bound)));
}

}  // namespace

Result<bool> fuse_clips(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    if (node.input(0) == nullptr || !has_single_use(node.inputs[0])) return false;
    const Node* inner = node.inputs[0]->producer;
    if (inner == nullptr || inner->graph != &owner) return false;
    const auto outer_bounds = bounds_of(node);
    if (!outer_bounds) return false;
    const auto inner_bounds = bounds_of(*inner);
    if (!inner_bounds || !context.allow(node)) return false;
    const double low = std::clamp(inner_bounds->low, outer_bounds->low, outer_bounds->high);
    const double high = std::clamp(inner_bounds->high, outer_bounds->low, outer_bounds->high);
    Value* data = inner->inputs[0];
    if (low == 0 && high > std::numeric_limits<float>::max()) {
      replace_node(context, &node, "Relu", {data});
    } else {
      replace_node(context, &node, "Clip",
                   {data, bound_constant(owner, "min", low), bound_constant(owner, "max", high)});
    }
    return true;
  });
}

}  // namespace edgewright
