// Operators that only move elements.
#include <algorithm>
#include <numeric>

#include "formats/coreml/emit.h"

namespace edgewright::coreml {
namespace {

// MIL's reshape makes no scalars.
bool has_axes(const Node& node) {
  return !dims_of(node.outputs[0]).empty() && !dims_of(node.inputs[0]).empty() &&
         is_settled(node, 1);
}
// Every shape is known by now, so all of these are one operation.
Status emit_reshape(Emitter& emitter, const Node& node) {
  emitter.finish(
      node, "reshape",
      {{"shape", {emitter.ints(dims_of(node.outputs[0]))}}, {"x", {emitter.input(node, 0)}}});
  return {};
}

Status emit_transpose(Emitter& emitter, const Node& node) {
  const std::vector<int64_t> order = permutation_of(node, dims_of(node.inputs[0]).size());
  emitter.finish(node, "transpose",
                 {{"perm", {emitter.ints(order)}}, {"x", {emitter.input(node, 0)}}});
  return {};
}

Status emit_concat(Emitter& emitter, const Node& node) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < node.inputs.size(); ++i) parts.push_back(emitter.input(node, i));
  const int64_t axis = axis_of(node, 0, dims_of(node.outputs[0]).size());
  emitter.finish(node, "concat",
                 {{"axis", {emitter.integer(axis)}},
                  {"interleave", {emitter.flag(false)}},
                  {"values", parts}});
  return {};
}

Status emit_split(Emitter& emitter, const Node& node) {
  const int64_t axis = axis_of(node, 0, dims_of(node.inputs[0]).size());
  std::vector<int64_t> sizes;
  for (const Value* output : node.outputs) {
    sizes.push_back(dims_of(output)[static_cast<size_t>(axis)]);
  }
  emitter.finish(node, "split",
                 {{"axis", {emitter.integer(axis)}},
                  {"split_sizes", {emitter.ints(sizes)}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

// Whole ranges of the axes that a slice leaves alone, and where it cuts the others.
struct Range {
  std::vector<int64_t> begin, end, step;
};
Range whole(const Dims& dims) {
  return {std::vector<int64_t>(dims.size(), 0), dims, std::vector<int64_t>(dims.size(), 1)};
}
void emit_range(Emitter& emitter, const Node& node, const Range& range) {
  const size_t rank = range.begin.size();
  emitter.finish(node, "slice_by_index",
                 {{"begin", {emitter.ints(range.begin)}},
                  {"begin_mask", {emitter.flags(rank, false)}},
                  {"end", {emitter.ints(range.end)}},
                  {"end_mask", {emitter.flags(rank, false)}},
                  {"squeeze_mask", {emitter.flags(rank, false)}},
                  {"stride", {emitter.ints(range.step)}},
                  {"x", {emitter.input(node, 0)}}});
}

bool slices_forward(const Node& node) {
  if (!has_constant(node, 1) || !has_constant(node, 2)) return false;
  if (node.input(3) != nullptr && !has_constant(node, 3)) return false;
  if (node.input(4) != nullptr && !has_constant(node, 4)) return false;
  const auto steps = constant_ints(node, 4);
  const Dims dims = dims_of(node.outputs[0]);
  return std::ranges::all_of(steps, [](int64_t step) { return step > 0; }) &&
         std::ranges::find(dims, 0) == dims.end();
}
Status emit_slice(Emitter& emitter, const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  const auto starts = constant_ints(node, 1), ends = constant_ints(node, 2);
  auto axes = constant_ints(node, 3), steps = constant_ints(node, 4);
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  steps.resize(starts.size(), 1);
  Range range = whole(dims);
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto axis =
        static_cast<size_t>(axes[i] < 0 ? axes[i] + static_cast<int64_t>(dims.size()) : axes[i]);
    const auto from_front = [&](int64_t place) {
      return std::clamp<int64_t>(place < 0 ? place + dims[axis] : place, 0, dims[axis]);
    };
    range.begin[axis] = from_front(starts[i]);
    range.end[axis] = from_front(ends[i]);
    range.step[axis] = steps[i];
  }
  emit_range(emitter, node, range);
  return {};
}

// One slice along an axis by a constant number, or rows by indices that come at run time.
bool gathers_simply(const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  if (dims.empty() || dims_of(node.outputs[0]).empty()) return false;
  return has_constant(node, 1) || !dims_of(node.inputs[1]).empty();
}
Status emit_gather(Emitter& emitter, const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  const int64_t axis = axis_of(node, 0, dims.size());
  const auto picked = constant_ints(node, 1);
  if (!has_constant(node, 1) || picked.size() != 1) {
    emitter.finish(node, "gather",
                   {{"axis", {emitter.integer(axis)}},
                    {"indices", {emitter.input(node, 1)}},
                    {"x", {emitter.input(node, 0)}}});
    return {};
  }
  Range range = whole(dims);
  const auto at = static_cast<size_t>(axis);
  range.begin[at] = picked[0] < 0 ? picked[0] + dims[at] : picked[0];
  range.end[at] = range.begin[at] + 1;
  Dims taken = dims;
  taken[at] = 1;
  const size_t rank = dims.size();
  const std::string slice = emitter.add(node, "slice_by_index",
                                        {{"begin", {emitter.ints(range.begin)}},
                                         {"begin_mask", {emitter.flags(rank, false)}},
                                         {"end", {emitter.ints(range.end)}},
                                         {"end_mask", {emitter.flags(rank, false)}},
                                         {"squeeze_mask", {emitter.flags(rank, false)}},
                                         {"stride", {emitter.ints(range.step)}},
                                         {"x", {emitter.input(node, 0)}}},
                                        node.outputs[0]->type.dtype, taken);
  emitter.finish(node, "reshape",
                 {{"shape", {emitter.ints(dims_of(node.outputs[0]))}}, {"x", {slice}}});
  return {};
}

// Known shapes make Expand a repetition of the axes of length 1.
Status emit_expand(Emitter& emitter, const Node& node) {
  const Dims to = dims_of(node.outputs[0]);
  Dims from = dims_of(node.inputs[0]);
  std::string value = emitter.input(node, 0);
  if (from.size() < to.size()) {
    from.insert(from.begin(), to.size() - from.size(), 1);
    value = emitter.reshape(node, value, node.outputs[0]->type.dtype, from);
  }
  std::vector<int64_t> repetitions(to.size());
  for (size_t i = 0; i < to.size(); ++i) repetitions[i] = to[i] / std::max<int64_t>(from[i], 1);
  emitter.finish(node, "tile", {{"reps", {emitter.ints(repetitions)}}, {"x", {value}}});
  return {};
}

bool pads_by_constants(const Node& node) {
  const std::string mode = node.attributes.get_string("mode", "constant");
  if (!has_constant(node, 1) || node.input(3) != nullptr || !is_float(node)) return false;
  if (node.input(2) != nullptr && !has_constant(node, 2)) return false;
  const auto pads = constant_ints(node, 1);
  const size_t rank = pads.size() / 2;
  if (rank != dims_of(node.inputs[0]).size()) return false;
  if (std::ranges::any_of(pads, [](int64_t pad) { return pad < 0; })) return false;
  if (mode == "constant") return true;
  if (mode != "reflect" && mode != "edge") return false;
  // These pad the last two axes only.
  for (size_t i = 0; i + 2 < rank; ++i) {
    if (pads[i] != 0 || pads[i + rank] != 0) return false;
  }
  return true;
}
Status emit_pad(Emitter& emitter, const Node& node) {
  const std::string mode = node.attributes.get_string("mode", "constant");
  const auto pads = constant_ints(node, 1);
  const size_t rank = pads.size() / 2;
  std::vector<int64_t> pairs;
  for (size_t i = mode == "constant" || rank < 2 ? 0 : rank - 2; i < rank; ++i) {
    pairs.push_back(pads[i]);
    pairs.push_back(pads[i + rank]);
  }
  const Tensor* fill = node.constant_input(2);
  const double value = fill == nullptr ? 0 : (*fill->to_doubles())[0];
  emitter.finish(node, "pad",
                 {{"constant_val", {emitter.number(value, node.inputs[0]->type.dtype)}},
                  {"mode", {emitter.text(mode == "edge" ? "replicate" : mode)}},
                  {"pad", {emitter.ints(pairs)}},
                  {"x", {emitter.input(node, 0)}}});
  return {};
}

constexpr EmitRow kRows[] = {
    {"Reshape", emit_reshape, has_axes},
    {"Flatten", emit_reshape, has_axes},
    {"Squeeze", emit_reshape, has_axes},
    {"Unsqueeze", emit_reshape, has_axes},
    {"Transpose", emit_transpose},
    {"Concat", emit_concat},
    {"Split", emit_split},
    {"Slice", emit_slice, slices_forward},
    {"Gather", emit_gather, gathers_simply},
    {"Expand", emit_expand, has_axes},
    {"Tile", emit_expand, has_axes},
    {"Pad", emit_pad, pads_by_constants},
};

}  // namespace

std::span<const EmitRow> movement_rows() { return kRows; }

}  // namespace edgewright::coreml
