#include <algorithm>
#include <limits>

#include "formats/openvino/import.h"

namespace edgewright::openvino_ir {
namespace {

Status read_reshape(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * target, importer.input(1));
  Attributes attributes;
  if (!importer.flag("special_zero", false)) attributes.set("allowzero", int64_t{1});
  return importer.finish("Reshape", {x, importer.as_int64(target)}, std::move(attributes));
}

Status read_transpose(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  Attributes attributes;
  if (importer.inputs() > 1) {
    EDGEWRIGHT_ASSIGN(auto order, importer.constant_ints(1));
    if (!order.empty()) attributes.set("perm", std::move(order));
  }
  return importer.finish("Transpose", {x}, std::move(attributes));
}

Status read_squeeze(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  std::vector<Value*> inputs = {x};
  if (importer.inputs() > 1) {
    EDGEWRIGHT_ASSIGN(auto axes, importer.constant_ints(1));
    inputs.push_back(importer.ints(axes));
  }
  return importer.finish(importer.layer().type, std::move(inputs));
}

Status read_concat(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto inputs, importer.all_inputs());
  if (inputs.empty()) return bad_input("found no inputs, expected at least one");
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.integer("axis", 0));
  Attributes attributes;
  attributes.set("axis", axis);
  return importer.finish("Concat", std::move(inputs), std::move(attributes));
}

Result<int64_t> one_integer(const Importer& importer, size_t index) {
  EDGEWRIGHT_ASSIGN(const auto values, importer.constant_ints(index));
  if (values.size() != 1) return unsupported("input {} must be one integer here", index);
  return values[0];
}

Status read_split(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const int64_t axis, one_integer(importer, 1));
  Attributes attributes;
  attributes.set("axis", axis);
  if (importer.layer().type == "Split") {
    attributes.set("num_outputs", static_cast<int64_t>(importer.layer().outputs.size()));
    return importer.finish("Split", {x}, std::move(attributes));
  }
  EDGEWRIGHT_ASSIGN(const auto lengths, importer.constant_ints(2));
  return importer.finish("Split", {x, importer.ints(lengths)}, std::move(attributes));
}

Status read_slice(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto inputs, importer.all_inputs());
  if (inputs.size() < 4) return bad_input("found {} inputs, expected 4 or 5", inputs.size());
  for (size_t i = 1; i < inputs.size(); ++i) inputs[i] = importer.as_int64(inputs[i]);
  std::vector<Value*> ordered = {inputs[0], inputs[1], inputs[2]};
  ordered.push_back(inputs.size() > 4 ? inputs[4] : nullptr);
  ordered.push_back(inputs[3]);
  return importer.finish("Slice", std::move(ordered));
}

// Constant bounds; a set bit of begin_mask or end_mask leaves that bound at the edge.
Status read_strided_slice(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(auto begin, importer.constant_ints(1));
  EDGEWRIGHT_ASSIGN(auto end, importer.constant_ints(2));
  std::vector<int64_t> step(begin.size(), 1), axes(begin.size());
  if (importer.inputs() > 3) {
    EDGEWRIGHT_ASSIGN(step, importer.constant_ints(3));
  }
  if (end.size() != begin.size() || step.size() != begin.size()) {
    return bad_input("found bounds of {}, {} and {} axes", begin.size(), end.size(), step.size());
  }
  EDGEWRIGHT_ASSIGN(const auto open_begin, importer.integers("begin_mask"));
  EDGEWRIGHT_ASSIGN(const auto open_end, importer.integers("end_mask"));
  EDGEWRIGHT_ASSIGN(const auto added, importer.integers("new_axis_mask"));
  EDGEWRIGHT_ASSIGN(const auto dropped, importer.integers("shrink_axis_mask"));
  EDGEWRIGHT_ASSIGN(const auto ellipsis, importer.integers("ellipsis_mask"));
  const auto any = [](const std::vector<int64_t>& mask) {
    return std::ranges::any_of(mask, [](int64_t bit) { return bit != 0; });
  };
  if (any(added) || any(ellipsis)) return unsupported("new_axis_mask or ellipsis_mask");
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
  std::vector<int64_t> gone;
  for (size_t i = 0; i < begin.size(); ++i) {
    axes[i] = static_cast<int64_t>(i);
    const auto bit = [&](const std::vector<int64_t>& mask) {
      return i < mask.size() && mask[i] != 0;
    };
    if (bit(dropped)) {
      gone.push_back(static_cast<int64_t>(i));
      end[i] = begin[i] == -1 ? kFar : begin[i] + 1;
      step[i] = 1;
      continue;
    }
    if (bit(open_begin)) begin[i] = step[i] < 0 ? kFar : 0;
    if (bit(open_end)) end[i] = step[i] < 0 ? -kFar : kFar;
  }
  std::vector<Value*> inputs = {x, importer.ints(begin), importer.ints(end), importer.ints(axes),
                                importer.ints(step)};
  if (gone.empty()) return importer.finish("Slice", std::move(inputs));
  Value* slice = importer.add("Slice", std::move(inputs));
  return importer.finish("Squeeze", {slice, importer.ints(gone)});
}

Status read_broadcast(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * target, importer.input(1));
  const std::string mode = importer.text("mode", "numpy");
  if (mode != "numpy" && mode != "bidirectional") return unsupported("Broadcast mode '{}'", mode);
  return importer.finish("Expand", {x, importer.as_int64(target)});
}

Status read_tile(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * repeats, importer.input(1));
  return importer.finish("Tile", {x, importer.as_int64(repeats)});
}

Status read_pad(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(auto pads, importer.constant_ints(1));
  EDGEWRIGHT_ASSIGN(const auto end, importer.constant_ints(2));
  pads.insert(pads.end(), end.begin(), end.end());
  const std::string mode = importer.text("pad_mode", "constant");
  if (mode == "symmetric") return unsupported("pad_mode 'symmetric'");
  Attributes attributes;
  attributes.set("mode", mode);
  std::vector<Value*> inputs = {x, importer.ints(pads)};
  if (mode == "constant" && importer.inputs() > 3) {
    EDGEWRIGHT_ASSIGN(Value * fill, importer.input(3));
    inputs.push_back(fill);
  }
  return importer.finish("Pad", std::move(inputs), std::move(attributes));
}

Status read_gather(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * indices, importer.input(1));
  EDGEWRIGHT_ASSIGN(const int64_t axis, one_integer(importer, 2));
  EDGEWRIGHT_ASSIGN(const int64_t batch, importer.integer("batch_dims", 0));
  if (batch != 0) return unsupported("Gather with batch_dims {}", batch);
  Attributes attributes;
  attributes.set("axis", axis);
  return importer.finish("Gather", {x, indices}, std::move(attributes));
}

Status read_gather_elements(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * indices, importer.input(1));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.integer("axis", 0));
  Attributes attributes;
  attributes.set("axis", axis);
  return importer.finish("GatherElements", {x, indices}, std::move(attributes));
}

Status read_gather_nd(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * indices, importer.input(1));
  EDGEWRIGHT_ASSIGN(const int64_t batch, importer.integer("batch_dims", 0));
  Attributes attributes;
  attributes.set("batch_dims", batch);
  return importer.finish("GatherND", {x, importer.as_int64(indices)}, std::move(attributes));
}

Status read_scatter_nd(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto inputs, importer.all_inputs());
  if (inputs.size() != 3) return bad_input("found {} inputs, expected 3", inputs.size());
  inputs[1] = importer.as_int64(inputs[1]);
  return importer.finish("ScatterND", std::move(inputs));
}

Status read_scatter_elements(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto inputs, importer.all_inputs());
  if (inputs.size() != 4) return bad_input("found {} inputs, expected 4", inputs.size());
  if (importer.text("reduction", "none") != "none") return unsupported("a reduction");
  EDGEWRIGHT_ASSIGN(const int64_t axis, one_integer(importer, 3));
  inputs.pop_back();
  Attributes attributes;
  attributes.set("axis", axis);
  return importer.finish("ScatterElements", std::move(inputs), std::move(attributes));
}

constexpr ImportRow kRows[] = {
    {"Reshape", read_reshape},
    {"Transpose", read_transpose},
    {"Squeeze", read_squeeze},
    {"Unsqueeze", read_squeeze},
    {"Concat", read_concat},
    {"Split", read_split},
    {"VariadicSplit", read_split},
    {"Slice", read_slice},
    {"StridedSlice", read_strided_slice},
    {"Broadcast", read_broadcast},
    {"Tile", read_tile},
    {"Pad", read_pad},
    {"Gather", read_gather},
    {"GatherElements", read_gather_elements},
    {"GatherND", read_gather_nd},
    {"ScatterNDUpdate", read_scatter_nd},
    {"ScatterElementsUpdate", read_scatter_elements},
};

}  // namespace

std::span<const ImportRow> import_movement_rows() { return kRows; }

}  // namespace edgewright::openvino_ir
