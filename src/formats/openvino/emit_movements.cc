// Operators that only move elements.
#include <algorithm>
#include <numeric>

#include "formats/openvino/emit.h"

namespace edgewright::openvino_ir {
namespace {

Status emit_reshape(Emitter& emitter, const Node& node) {
  const bool zero_copies = node.attributes.get_int("allowzero", 0) == 0;
  emitter.finish(node, "Reshape", "opset1", {emitter.input(node, 0), emitter.input(node, 1)},
                 {{"special_zero", flag(zero_copies)}});
  return {};
}

Status emit_transpose(Emitter& emitter, const Node& node) {
  const std::vector<int64_t> order = permutation_of(node, rank_of(node.input(0)));
  emitter.finish(node, "Transpose", "opset1", {emitter.input(node, 0), emitter.ints(order)});
  return {};
}

Status emit_squeeze(Emitter& emitter, const Node& node) {
  std::vector<Endpoint> inputs = {emitter.input(node, 0)};
  if (node.input(1) != nullptr) inputs.push_back(emitter.input(node, 1));
  emitter.finish(node, node.op, "opset1", std::move(inputs));
  return {};
}

bool has_known_rank(const Node& node) { return has_rank(node.input(0)); }

bool flattens_simply(const Node& node) {
  const int64_t axis = node.attributes.get_int("axis", 1);
  if (!has_rank(node.input(0))) return false;
  const bool all_known = known_dims(*node.input(0)->type.shape).has_value();
  return all_known || axis == 1 || axis == 0;
}
Status emit_flatten(Emitter& emitter, const Node& node) {
  int64_t axis = node.attributes.get_int("axis", 1);
  if (axis < 0) axis += static_cast<int64_t>(rank_of(node.input(0)));
  std::vector<int64_t> target = {0, -1};
  if (axis == 0) target = {1, -1};
  if (axis > 1) {
    const Dims dims = *known_dims(*node.input(0)->type.shape);
    target[0] = std::accumulate(dims.begin(), dims.begin() + axis, int64_t{1}, std::multiplies());
  }
  emitter.finish(node, "Reshape", "opset1", {emitter.input(node, 0), emitter.ints(target)},
                 {{"special_zero", "true"}});
  return {};
}

Status emit_concat(Emitter& emitter, const Node& node) {
  std::vector<Endpoint> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) inputs.push_back(emitter.input(node, i));
  emitter.finish(node, "Concat", "opset1", std::move(inputs),
                 {{"axis", fmt::format("{}", node.attributes.get_int("axis", 0))}});
  return {};
}

// Equal parts without known dimensions are Split, all others have lengths.
Status emit_split(Emitter& emitter, const Node& node) {
  const Endpoint axis = emitter.integer(node.attributes.get_int("axis", 0));
  if (node.input(1) != nullptr) {
    emitter.add_whole(node, "VariadicSplit", "opset1",
                      {emitter.input(node, 0), axis, emitter.input(node, 1)});
    return {};
  }
  emitter.add_whole(node, "Split", "opset1", {emitter.input(node, 0), axis},
                    {{"num_splits", fmt::format("{}", node.outputs.size())}});
  return {};
}
// Without lengths the last part may be shorter, which Split refuses.
bool splits_evenly(const Node& node) {
  if (node.input(1) != nullptr) return true;
  if (!has_rank(node.input(0))) return false;
  int64_t axis = node.attributes.get_int("axis", 0);
  if (axis < 0) axis += static_cast<int64_t>(rank_of(node.input(0)));
  const Dim& dim = (*node.input(0)->type.shape)[static_cast<size_t>(axis)];
  return dim.is_known() && dim.value % static_cast<int64_t>(node.outputs.size()) == 0;
}

Status emit_slice(Emitter& emitter, const Node& node) {
  const Endpoint start = emitter.input(node, 1);
  const auto count = static_cast<size_t>((*node.inputs[1]->type.shape)[0].value);
  std::vector<int64_t> axes(count);
  std::iota(axes.begin(), axes.end(), 0);
  const Endpoint step = node.input(4) != nullptr ? emitter.input(node, 4)
                                                 : emitter.ints(std::vector<int64_t>(count, 1));
  const Endpoint where = node.input(3) != nullptr ? emitter.input(node, 3) : emitter.ints(axes);
  emitter.finish(node, "Slice", "opset8",
                 {emitter.input(node, 0), start, emitter.input(node, 2), step, where});
  return {};
}
bool slices_known_axes(const Node& node) {
  return has_rank(node.input(1)) && rank_of(node.input(1)) == 1 &&
         (*node.inputs[1]->type.shape)[0].is_known();
}

Status emit_expand(Emitter& emitter, const Node& node) {
  emitter.finish(node, "Broadcast", "opset3", {emitter.input(node, 0), emitter.input(node, 1)},
                 {{"mode", "bidirectional"}});
  return {};
}

Status emit_tile(Emitter& emitter, const Node& node) {
  emitter.finish(node, "Tile", "opset1", {emitter.input(node, 0), emitter.input(node, 1)});
  return {};
}

bool pads_by_constants(const Node& node) {
  const std::string mode = node.attributes.get_string("mode", "constant");
  return has_rank(node.input(0)) && has_constant(node, 1) && mode != "wrap" &&
         (node.input(3) == nullptr || has_constant(node, 3));
}
Status emit_pad(Emitter& emitter, const Node& node) {
  const size_t rank = rank_of(node.input(0));
  std::vector<int64_t> axes = constant_ints(node, 3);
  if (node.input(3) == nullptr) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  const std::vector<int64_t> pads = constant_ints(node, 1);
  std::vector<int64_t> begin(rank, 0), end(rank, 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis =
        static_cast<size_t>(axes[i] < 0 ? axes[i] + static_cast<int64_t>(rank) : axes[i]);
    begin[axis] = pads[i];
    end[axis] = pads[i + axes.size()];
  }
  std::vector<Endpoint> inputs = {emitter.input(node, 0), emitter.ints(begin), emitter.ints(end)};
  const std::string mode = node.attributes.get_string("mode", "constant");
  if (mode == "constant") {
    const DType dtype = node.inputs[0]->type.dtype;
    Endpoint fill = node.input(2) != nullptr ? emitter.input(node, 2) : emitter.number(0, dtype);
    if (rank_of(node.input(2)) == 1) fill = emitter.reshape(node, fill, {});
    inputs.push_back(fill);
  }
  emitter.finish(node, "Pad", "opset12", std::move(inputs), {{"pad_mode", mode}});
  return {};
}

constexpr EmitRow kRows[] = {
    {"Reshape", emit_reshape},
    {"Transpose", emit_transpose, has_known_rank},
    {"Squeeze", emit_squeeze},
    {"Unsqueeze", emit_squeeze},
    {"Flatten", emit_flatten, flattens_simply},
    {"Concat", emit_concat},
    {"Split", emit_split, splits_evenly},
    {"Slice", emit_slice, slices_known_axes},
    {"Expand", emit_expand},
    {"Tile", emit_tile},
    {"Pad", emit_pad, pads_by_constants},
};

}  // namespace

std::span<const EmitRow> movement_rows() { return kRows; }

}  // namespace edgewright::openvino_ir
