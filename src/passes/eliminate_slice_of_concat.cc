// Before: Slice(Concat(a, b, c)) that takes exactly one of the parts.      After: that part.
// Conditions: the slice cuts the axis of the Concat only; known dimensions.
#include "passes/passes.h"
#include "passes/slice_ranges.h"

namespace edgewright {
namespace {

Value* taken_part(const Node& slice, const Node& concat) {
  const auto ranges = slice_ranges(slice);
  const auto dims = static_dims(concat.output(0));
  if (!ranges || !dims) return nullptr;
  const auto axis = normalised_axes({concat.attributes.get_int("axis", 0)}, dims->size());
  if (!axis) return nullptr;
  const auto cut = static_cast<size_t>(axis->front());
  for (size_t i = 0; i < ranges->size(); ++i) {
    if ((*ranges)[i].step != 1) return nullptr;
    if (i != cut && (*ranges)[i].count != (*dims)[i]) return nullptr;
  }
  int64_t position = 0;
  for (Value* part : concat.inputs) {
    const auto part_dims = static_dims(part);
    if (!part_dims || part_dims->size() != dims->size()) return nullptr;
    if (position == (*ranges)[cut].start && (*part_dims)[cut] == (*ranges)[cut].count) return part;
    position += (*part_dims)[cut];
  }
  return nullptr;
}

}  // namespace

Result<bool> eliminate_slice_of_concat(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Slice", [&](Graph&, Node& node) -> Result<bool> {
    const Node* concat = producer(node.input(0), "Concat");
    if (concat == nullptr || node.domain != "") return false;
    Value* part = taken_part(node, *concat);
    if (part == nullptr || !can_replace(node.outputs[0], part) || !context.allow(node))
      return false;
    replace_value(node.outputs[0], part);
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
