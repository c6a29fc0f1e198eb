// Before: several Slices of one x that together cut one axis into consecutive parts.
// After: one Split.
// Conditions: steps of 1, known dimensions, no part missing or taken twice.
#include <algorithm>
#include <map>

#include "passes/passes.h"
#include "passes/slice_ranges.h"

namespace edgewright {
namespace {

struct Part {
  Node* slice = nullptr;
  int64_t start = 0, count = 0;
};

// The axis that a slice cuts, if it is only one and by steps of 1.
std::optional<size_t> cut_axis(const std::vector<SliceRange>& ranges, const Dims& dims) {
  std::optional<size_t> axis;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].step != 1) return std::nullopt;
    if (ranges[i].count == dims[i]) continue;
    if (axis) return std::nullopt;
    axis = i;
  }
  return axis;
}

// The slices of a value, by the axis that they cut.
std::map<size_t, std::vector<Part>> parts_of(const Graph& graph, const Value& data) {
  std::map<size_t, std::vector<Part>> parts;
  const auto dims = static_dims(&data);
  if (!dims) return parts;
  for (const Use& use : data.uses) {
    if (use.index != 0 || use.node->graph != &graph || !use.node->is("Slice")) continue;
    if (use.node->outputs[0]->uses.empty() && !use.node->outputs[0]->is_graph_output()) continue;
    const auto ranges = slice_ranges(*use.node);
    if (!ranges) continue;
    const auto axis = cut_axis(*ranges, *dims);
    if (axis) parts[*axis].push_back({use.node, (*ranges)[*axis].start, (*ranges)[*axis].count});
  }
  return parts;
}

bool covers(std::vector<Part>& parts, int64_t dim) {
  std::ranges::sort(parts, {}, &Part::start);
  int64_t position = 0;
  for (const Part& part : parts) {
    if (part.start != position || part.count == 0) return false;
    position += part.count;
  }
  return parts.size() > 1 && position == dim;
}

void make_split(PassContext& context, Graph& graph, Value* data, size_t axis,
                const std::vector<Part>& parts, Node* before) {
  std::vector<int64_t> sizes;
  std::vector<std::string> names;
  for (const Part& part : parts) {
    sizes.push_back(part.count);
    names.push_back(part.slice->outputs[0]->name + "_part");
  }
  Node* split = graph.add_node("Split", {data, add_int_constant(graph, "split", sizes)}, names,
                               make_attributes({{"axis", static_cast<int64_t>(axis)}}), "", before);
  (void)context.types.infer(*split);
  for (size_t i = 0; i < parts.size(); ++i) {
    replace_value(parts[i].slice->outputs[0], split->outputs[i]);
  }
}

// The first of these nodes in execution order; the walk meets it first.
bool is_first(const Graph& graph, const Node& node, const std::vector<Part>& parts) {
  for (const Node& candidate : graph.nodes()) {
    const auto is_candidate = [&](const Part& part) { return part.slice == &candidate; };
    if (std::ranges::any_of(parts, is_candidate)) return &candidate == &node;
  }
  return false;
}

}  // namespace

Result<bool> fuse_slices_to_split(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Slice", [&](Graph& owner, Node& node) -> Result<bool> {
    Value* data = node.input(0);
    if (data == nullptr || node.domain != "" || data->uses.size() < 2) return false;
    for (auto& [axis, parts] : parts_of(owner, *data)) {
      const bool here = std::ranges::any_of(parts, [&](const Part& p) { return p.slice == &node; });
      if (!here || !covers(parts, (*static_dims(data))[axis])) continue;
      if (!is_first(owner, node, parts) || !context.allow(node)) continue;
      make_split(context, owner, data, axis, parts, &node);
      return true;
    }
    return false;
  });
}

}  // namespace edgewright
