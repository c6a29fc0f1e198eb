// Before: Op(Expand(x, shape), y) with an Op that broadcasts.      After: Op(x, y).
// Conditions: x and the other operands alone broadcast to the shape that Op makes now.
#include <algorithm>
#include <array>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

constexpr std::array<std::string_view, 17> kBroadcasting = {"Add",
                                                            "Sub",
                                                            "Mul",
                                                            "Div",
                                                            "Pow",
                                                            "Max",
                                                            "Min",
                                                            "Where",
                                                            "Equal",
                                                            "Less",
                                                            "Greater",
                                                            "LessOrEqual",
                                                            "GreaterOrEqual",
                                                            "And",
                                                            "Or",
                                                            "Xor",
                                                            "Mod"};

// The dimension of a value at a position counted from the back; null where it has none.
const Dim* dim_from_back(const Value* value, size_t position) {
  const Shape& shape = *value->type.shape;
  return position < shape.size() ? &shape[shape.size() - 1 - position] : nullptr;
}

bool gives(const Dim* dim, const Dim& wanted) {
  if (dim == nullptr) return wanted.value == 1;
  return *dim == wanted && (dim->is_known() || !dim->symbol.empty());
}

// Whether the output keeps its shape with `value` in place of input `index`.
bool shape_stays(const Node& node, size_t index, const Value* value) {
  const Value* output = node.output(0);
  if (!rank_of(output) || !rank_of(value)) return false;
  size_t rank = *rank_of(value);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (i != index) rank = std::max(rank, rank_of(node.inputs[i]).value_or(0));
  }
  if (rank != *rank_of(output)) return false;
  for (size_t position = 0; position < output->type.shape->size(); ++position) {
    const Dim& wanted = *dim_from_back(output, position);
    bool given = gives(dim_from_back(value, position), wanted) || wanted.value == 1;
    for (size_t i = 0; i < node.inputs.size() && !given; ++i) {
      given = i != index && rank_of(node.inputs[i]) &&
              gives(dim_from_back(node.inputs[i], position), wanted);
    }
    if (!given) return false;
  }
  return true;
}

}  // namespace

Result<bool> eliminate_expand(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    if (node.domain != "" || std::ranges::find(kBroadcasting, node.op) == kBroadcasting.end()) {
      return false;
    }
    bool changed = false;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Node* expand = producer(node.inputs[i], "Expand");
      if (expand == nullptr || expand->graph != &owner) continue;
      if (!shape_stays(node, i, expand->inputs[0]) || !context.allow(node)) continue;
      owner.set_input(&node, i, expand->inputs[0]);
      erase_if_dead(expand);
      changed = true;
    }
    return changed;
  });
}

}  // namespace edgewright
