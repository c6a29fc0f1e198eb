// Before: Concat of the parts of one x in order (outputs of a Split, or Slices that follow each
// other).        After: x.
// Conditions: the parts cover x on the axis of the Concat and are whole on the others.
#include "passes/passes.h"
#include "passes/slice_ranges.h"

namespace edgewright {
namespace {

int64_t axis_of(const Node& node, size_t rank) {
  const int64_t axis = node.attributes.get_int("axis", 0);
  return axis < 0 ? axis + static_cast<int64_t>(rank) : axis;
}

Value* rejoined_split(const Node& concat, size_t rank) {
  const Node* split = producer(concat.input(0), "Split");
  if (split == nullptr || axis_of(*split, rank) != axis_of(concat, rank)) return nullptr;
  return split->outputs == concat.inputs ? split->inputs[0] : nullptr;
}

Value* rejoined_slices(const Node& concat, size_t rank) {
  const auto axis = static_cast<size_t>(axis_of(concat, rank));
  Value* whole = nullptr;
  int64_t position = 0;
  for (const Value* input : concat.inputs) {
    const Node* slice = producer(input, "Slice");
    if (slice == nullptr || (whole != nullptr && slice->inputs[0] != whole)) return nullptr;
    whole = slice->inputs[0];
    const auto ranges = slice_ranges(*slice);
    if (!ranges || ranges->size() != rank || axis >= rank) return nullptr;
    const auto dims = static_dims(whole);
    for (size_t i = 0; i < rank; ++i) {
      const SliceRange& range = (*ranges)[i];
      if (range.step != 1) return nullptr;
      if (i == axis ? range.start != position : range.count != (*dims)[i]) return nullptr;
    }
    position += (*ranges)[axis].count;
  }
  return whole != nullptr && position == (*static_dims(whole))[axis] ? whole : nullptr;
}

}  // namespace

Result<bool> eliminate_rejoined_parts(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Concat", [&](Graph&, Node& node) -> Result<bool> {
    const auto rank = rank_of(node.output(0));
    if (!rank || node.domain != "" || node.inputs.size() < 2) return false;
    Value* whole = rejoined_split(node, *rank);
    if (whole == nullptr) whole = rejoined_slices(node, *rank);
    if (whole == nullptr || !can_replace(node.outputs[0], whole)) return false;
    if (!context.allow(node)) return false;
    replace_value(node.outputs[0], whole);
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
