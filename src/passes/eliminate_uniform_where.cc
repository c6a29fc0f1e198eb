// Before: y = Where(c, a, b), c made from a constant whose elements are all alike by operators that
//         only move or repeat elements.
// After:  y = a or y = b.
// Conditions: the one that is taken has the shape of y.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

// The one value of all elements of a boolean; empty when they differ or are not known.
std::optional<bool> uniform_value(const Value* value) {
  static constexpr std::string_view kMovers[] = {"Expand",  "Flatten",   "Reshape", "Slice",
                                                 "Squeeze", "Transpose", "Tile",    "Unsqueeze"};
  for (int depth = 0; depth < 16 && !value->is_constant(); ++depth) {
    const Node* node = value->producer;
    if (node == nullptr || !node->domain.empty() || node->input(0) == nullptr ||
        std::ranges::find(kMovers, node->op) == std::end(kMovers)) {
      return std::nullopt;
    }
    value = node->input(0);
  }
  if (!value->is_constant() || dtype_of(value) != DType::kBool) return std::nullopt;
  const Tensor& tensor = *value->constant;
  if (tensor.element_count() == 0) return std::nullopt;
  const int64_t first = load_int64(DType::kBool, tensor.bytes(), 0);
  for (int64_t i = 1; i < tensor.element_count(); ++i) {
    if (load_int64(DType::kBool, tensor.bytes(), i) != first) return std::nullopt;
  }
  return first != 0;
}

}  // namespace

Result<bool> eliminate_uniform_where(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Where", [&](Graph&, Node& node) -> Result<bool> {
    if (!node.domain.empty() || node.inputs.size() != 3) return false;
    const auto taken = uniform_value(node.input(0));
    if (!taken) return false;
    Value* choice = node.input(*taken ? 1 : 2);
    Value* output = node.output(0);
    if (!same_shape(choice, output) || !can_replace(output, choice) || !context.allow(node)) {
      return false;
    }
    replace_value(output, choice);
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
