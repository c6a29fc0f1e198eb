// Operators that only move elements.
#include <algorithm>
#include <array>
#include <numeric>

#include "formats/ncnn/emit.h"

namespace edgewright::ncnn_format {
namespace {

bool comes_in(const Node& node) { return !has_constant(node, 0); }

Status emit_reshape(Emitter& emitter, const Node& node) {
  emitter.give(node, emitter.input(node, 0), blob_dims(dims_of(node.inputs[0])));
  return {};
}

// ncnn's numbers of orders: which axis becomes w, then h, (d,) c. Axes here count from the
// outermost.
constexpr std::array<std::string_view, 2> kOrders2 = {"wh", "hw"};
constexpr std::array<std::string_view, 6> kOrders3 = {"whc", "hwc", "wch", "cwh", "hcw", "chw"};
constexpr std::array<std::string_view, 24> kOrders4 = {
    "whdc", "hwdc", "wdhc", "dwhc", "hdwc", "dhwc", "whcd", "hwcd", "wchd", "cwhd", "hcwd", "chwd",
    "wdch", "dwch", "wcdh", "cwdh", "dcwh", "cdwh", "hdcw", "dhcw", "hcdw", "chdw", "dchw", "cdhw"};

int64_t order_type(const std::vector<int64_t>& order) {
  const std::string_view names = order.size() == 2 ? "hw" : order.size() == 3 ? "chw" : "cdhw";
  std::string key;
  for (auto it = order.rbegin(); it != order.rend(); ++it) key += names[static_cast<size_t>(*it)];
  std::span<const std::string_view> rows = kOrders2;
  if (order.size() == 3) rows = kOrders3;
  if (order.size() == 4) rows = kOrders4;
  return std::ranges::find(rows, key) - rows.begin();
}

// The order among the axes that are left, and what comes out.
Status emit_transpose(Emitter& emitter, const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  const std::vector<int64_t> perm = permutation_of(node, dims.size());
  const int dropped = dropped_axis(dims);
  std::vector<int64_t> order;
  Dims result;
  for (const int64_t axis : perm) {
    if (axis == dropped) continue;
    order.push_back(axis_without(axis, dropped));
    result.push_back(dims[static_cast<size_t>(axis)]);
  }
  const std::string from = emitter.input(node, 0);
  if (std::ranges::is_sorted(order)) {
    emitter.give(node, from, blob_dims(dims));
    return {};
  }
  emitter.finish(node, "Permute", {from}, Parameters().integer(0, order_type(order)), result);
  return {};
}

bool joins_floats(const Node& node) {
  return std::ranges::all_of(node.inputs, [](const Value* value) {
    return value != nullptr && value->type.dtype == DType::kFloat32;
  });
}
Status emit_concat(Emitter& emitter, const Node& node) {
  const Dims result = dims_of(node.outputs[0]);
  const int64_t axis = axis_of(node, 0, result.size());
  if (node.inputs.size() == 1) {
    emitter.give(node, emitter.input(node, 0), blob_dims(dims_of(node.inputs[0])));
    return {};
  }
  const int dropped = dropped_axis(result);
  std::vector<std::string> bottoms;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    bottoms.push_back(emitter.input_as(node, i, without(dims_of(node.inputs[i]), dropped)));
  }
  emitter.finish(node, "Concat", std::move(bottoms),
                 Parameters().integer(0, axis_without(axis, dropped)), without(result, dropped));
  return {};
}

Status emit_split(Emitter& emitter, const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  const int64_t axis = axis_of(node, 0, dims.size());
  const int dropped = dropped_axis(dims);
  std::vector<int64_t> sizes;
  std::vector<Dims> results;
  for (const Value* output : node.outputs) {
    sizes.push_back(dims_of(output)[static_cast<size_t>(axis)]);
    results.push_back(without(dims_of(output), dropped));
  }
  emitter.finish_all(node, "Slice", {emitter.input(node, 0)},
                     Parameters().array(0, sizes).integer(1, axis_without(axis, dropped)), results);
  return {};
}
bool splits_a_long_axis(const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  const int64_t axis = axis_of(node, 0, dims.size());
  return comes_in(node) && node.outputs.size() > 1 && dropped_axis(dims) != axis;
}

// Where a slice or an index begins and ends, by axis.
struct Cut {
  std::vector<int64_t> axes, begin, end;
};
void emit_cut(Emitter& emitter, const Node& node, const Cut& cut) {
  Dims dims = dims_of(node.inputs[0]);
  const int dropped = dropped_axis(dims);
  Cut left;
  for (size_t i = 0; i < cut.axes.size(); ++i) {
    dims[static_cast<size_t>(cut.axes[i])] = cut.end[i] - cut.begin[i];
    if (cut.axes[i] == dropped) continue;  // all of an axis of length 1
    left.axes.push_back(axis_without(cut.axes[i], dropped));
    left.begin.push_back(cut.begin[i]);
    left.end.push_back(cut.end[i]);
  }
  const std::string from = emitter.input(node, 0);
  if (left.axes.empty()) {
    emitter.give(node, from, without(dims, dropped));
    return;
  }
  emitter.finish(node, "Crop", {from},
                 Parameters().array(9, left.begin).array(10, left.end).array(11, left.axes),
                 without(dims, dropped));
}

bool slices_densely(const Node& node) {
  if (!comes_in(node) || !has_constant(node, 1) || !has_constant(node, 2)) return false;
  if (node.input(3) != nullptr && !has_constant(node, 3)) return false;
  if (node.input(4) != nullptr && !has_constant(node, 4)) return false;
  return std::ranges::all_of(constant_ints(node, 4), [](int64_t step) { return step == 1; });
}
Status emit_slice(Emitter& emitter, const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  Cut cut{constant_ints(node, 3), constant_ints(node, 1), constant_ints(node, 2)};
  if (cut.axes.empty()) {
    cut.axes.resize(cut.begin.size());
    std::iota(cut.axes.begin(), cut.axes.end(), 0);
  }
  for (size_t i = 0; i < cut.axes.size(); ++i) {
    int64_t& axis = cut.axes[i];
    if (axis < 0) axis += static_cast<int64_t>(dims.size());
    const int64_t size = dims[static_cast<size_t>(axis)];
    for (int64_t* place : {&cut.begin[i], &cut.end[i]}) {
      *place = std::clamp<int64_t>(*place < 0 ? *place + size : *place, 0, size);
    }
  }
  emit_cut(emitter, node, cut);
  return {};
}

bool picks_one(const Node& node) {
  return comes_in(node) && has_constant(node, 1) && constant_ints(node, 1).size() == 1;
}
Status emit_gather(Emitter& emitter, const Node& node) {
  const Dims dims = dims_of(node.inputs[0]);
  const int64_t axis = axis_of(node, 0, dims.size());
  int64_t at = constant_ints(node, 1)[0];
  if (at < 0) at += dims[static_cast<size_t>(axis)];
  emit_cut(emitter, node, {{axis}, {at}, {at + 1}});
  return {};
}

// Pads of the image's rows and columns, and of channels by constants.
bool pads_images(const Node& node) {
  const std::string mode = node.attributes.get_string("mode", "constant");
  const auto pads = constant_ints(node, 1);
  const Dims dims = dims_of(node.inputs[0]);
  if (!comes_in(node) || pads.size() != 8 || dims.size() != 4 || dims[0] != 1) return false;
  if (node.input(3) != nullptr || (node.input(2) != nullptr && !has_constant(node, 2)))
    return false;
  if (pads[0] != 0 || pads[4] != 0) return false;
  if (std::ranges::any_of(pads, [](int64_t pad) { return pad < 0; })) return false;
  return mode == "constant" || ((mode == "edge" || mode == "reflect") && pads[1] + pads[5] == 0);
}
Status emit_pad(Emitter& emitter, const Node& node) {
  const std::string mode = node.attributes.get_string("mode", "constant");
  const auto pads = constant_ints(node, 1);
  const Tensor* fill = node.constant_input(2);
  Parameters parameters;
  parameters.integer(0, pads[2]).integer(1, pads[6]).integer(2, pads[3]).integer(3, pads[7]);
  parameters.integer(4, mode == "edge" ? 1 : mode == "reflect" ? 2 : 0);
  parameters.number(5, fill == nullptr ? 0 : floats_of(*fill)[0]);
  parameters.integer(7, pads[1]).integer(8, pads[5]);
  const Dims from = without(dims_of(node.inputs[0]), 0), to = without(dims_of(node.outputs[0]), 0);
  emitter.finish(node, "Padding", {emitter.input_as(node, 0, from)}, parameters, to);
  return {};
}

constexpr EmitRow kRows[] = {
    {"Reshape", emit_reshape, comes_in},       {"Flatten", emit_reshape, comes_in},
    {"Squeeze", emit_reshape, comes_in},       {"Unsqueeze", emit_reshape, comes_in},
    {"Transpose", emit_transpose, comes_in},   {"Concat", emit_concat, joins_floats},
    {"Split", emit_split, splits_a_long_axis}, {"Slice", emit_slice, slices_densely},
    {"Gather", emit_gather, picks_one},        {"Pad", emit_pad, pads_images},
};

}  // namespace

std::span<const EmitRow> movement_rows() { return kRows; }

}  // namespace edgewright::ncnn_format
