// Before: Slice(Slice(x)).      After: one Slice.
// Conditions: constant parameters and known dimensions; the inner result is used here only. Element
// i of the outer is element start_o + i step_o of the inner, hence start_i + (start_o + i step_o)
// step_i of x.
#include "passes/passes.h"
#include "passes/slice_ranges.h"

namespace edgewright {

Result<bool> fuse_slices(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Slice", [&](Graph& owner, Node& node) -> Result<bool> {
    const Node* inner = producer(node.input(0), "Slice");
    if (inner == nullptr || inner->graph != &owner || !has_single_use(node.input(0))) return false;
    const auto outer_ranges = slice_ranges(node), inner_ranges = slice_ranges(*inner);
    if (!outer_ranges || !inner_ranges || outer_ranges->size() != inner_ranges->size())
      return false;
    if (!context.allow(node)) return false;
    std::vector<SliceRange> ranges;
    for (size_t axis = 0; axis < outer_ranges->size(); ++axis) {
      const SliceRange& o = (*outer_ranges)[axis];
      const SliceRange& i = (*inner_ranges)[axis];
      ranges.push_back({i.start + o.start * i.step, o.count, o.step * i.step});
    }
    Value* data = inner->inputs[0];
    const auto dims = static_dims(data);
    replace_node(context, &node, "Slice", slice_inputs(owner, data, *dims, ranges));
    return true;
  });
}

}  // namespace edgewright
