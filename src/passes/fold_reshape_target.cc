// Before: Reshape(x, computed target), Expand(x, computed shape).
// After: Reshape(x, [.., 0, .., -1, ..]), Expand(x, [.., 1, ..]) with a constant.
// Conditions: every element of the target is a known number, or the dimension that x has there (0
// copies it; for Expand 1 keeps it); of a Reshape's one element may be wholly unknown (-1), if no
// other is the number 0 or -1.
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/shape_values.h"

namespace edgewright {
namespace {

// Whether the element is the dimension that the data has on this axis.
bool is_dimension(const ShapeElement& element, const Value* data, int64_t axis) {
  const auto rank = rank_of(data);
  if (!rank || axis < 0 || axis >= static_cast<int64_t>(*rank) || element.number) return false;
  const Dim& dim = (*data->type.shape)[static_cast<size_t>(axis)];
  if (!element.symbol.empty() && element.symbol == dim.symbol) return true;
  return element.source == data && static_cast<int64_t>(element.axis) == axis;
}

std::optional<std::vector<int64_t>> reshape_target(const Value* data,
                                                   const ShapeElements& elements) {
  std::vector<int64_t> target;
  int unknown = 0;
  for (size_t i = 0; i < elements.size(); ++i) {
    const ShapeElement& element = elements[i];
    if (element.number) {
      if (*element.number <= 0) return std::nullopt;
      target.push_back(*element.number);
    } else if (is_dimension(element, data, static_cast<int64_t>(i))) {
      target.push_back(0);
    } else {
      target.push_back(-1);
      ++unknown;
    }
  }
  if (unknown > 1) return std::nullopt;
  return target;
}

// As reshape_target() where one element is -1 already: then every other one must be exact.
std::optional<std::vector<int64_t>> inferred_target(const Value* data, ShapeElements elements) {
  const auto inferred = std::ranges::find_if(
      elements, [](const ShapeElement& element) { return element.number == -1; });
  if (inferred != elements.end()) *inferred = ShapeElement{};
  return reshape_target(data, elements);
}

std::optional<std::vector<int64_t>> expand_target(const Value* data,
                                                  const ShapeElements& elements) {
  const auto rank = rank_of(data);
  if (!rank) return std::nullopt;
  const auto offset = static_cast<int64_t>(elements.size()) - static_cast<int64_t>(*rank);
  std::vector<int64_t> target;
  for (size_t i = 0; i < elements.size(); ++i) {
    if (elements[i].number) {
      target.push_back(*elements[i].number);
    } else if (is_dimension(elements[i], data, static_cast<int64_t>(i) - offset)) {
      target.push_back(1);
    } else {
      return std::nullopt;
    }
  }
  return target;
}

}  // namespace

Result<bool> fold_reshape_target(Graph& graph, PassContext& context) {
  ShapeValues shapes;
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    const bool reshape = node.is("Reshape");
    if ((!reshape && !node.is("Expand")) || node.input(1) == nullptr) return false;
    if (node.inputs[1]->is_constant() || node.attributes.get_int("allowzero", 0) != 0) return false;
    const ShapeElements* elements = shapes.find(node.inputs[1]);
    if (elements == nullptr) return false;
    const auto target = reshape ? inferred_target(node.input(0), *elements)
                                : expand_target(node.input(0), *elements);
    if (!target || !context.allow(node)) return false;
    owner.set_input(&node, 1, add_int_constant(owner, "shape", *target));
    return true;
  });
}

}  // namespace edgewright
