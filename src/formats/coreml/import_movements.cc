// Operations that only move elements.
#include <limits>

#include "formats/coreml/import.h"

namespace edgewright::coreml {
namespace {

// Every shape is declared: what comes out is known.
Status read_reshape(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const Dims dims, importer.output_dims());
  Attributes attributes;
  attributes.set("allowzero", int64_t{1});
  return importer.finish(
      importer.add("Reshape", {x, importer.int_list(dims)}, x->type.dtype, std::move(attributes)));
}

Status read_transpose(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(auto order, importer.ints("perm"));
  const auto rank = static_cast<int64_t>(order.size());
  for (int64_t& axis : order) axis = axis < 0 ? axis + rank : axis;
  Attributes attributes;
  attributes.set("perm", std::move(order));
  return importer.finish(importer.add("Transpose", {x}, x->type.dtype, std::move(attributes)));
}

Status read_concat(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto values, importer.list("values"));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.integer("axis", 0));
  EDGEWRIGHT_ASSIGN(const bool interleaves, importer.flag("interleave", false));
  if (interleaves) return unsupported("interleaved parts");
  const DType dtype = values[0]->type.dtype;
  Attributes attributes;
  attributes.set("axis", axis);
  return importer.finish(importer.add("Concat", std::move(values), dtype, std::move(attributes)));
}

// A new axis of as many elements as there are values.
Status read_stack(Importer& importer) {
  EDGEWRIGHT_ASSIGN(const auto values, importer.list("values"));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.integer("axis", 0));
  const DType dtype = values[0]->type.dtype;
  std::vector<Value*> parts;
  for (Value* value : values) {
    parts.push_back(importer.add("Unsqueeze", {value, importer.int_list({axis})}, dtype));
  }
  Attributes attributes;
  attributes.set("axis", axis);
  return importer.finish(importer.add("Concat", std::move(parts), dtype, std::move(attributes)));
}

// The parts as the declared shapes say.
Status read_split(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(int64_t axis, importer.integer("axis", 0));
  EDGEWRIGHT_ASSIGN(const Dims dims, importer.dims("x"));
  const auto rank = static_cast<int64_t>(dims.size());
  if (axis < -rank || axis >= rank) return bad_input("axis {} of {} axes", axis, rank);
  axis = axis < 0 ? axis + rank : axis;
  int64_t begin = 0;
  for (size_t i = 0; i < importer.operation().outputs.size(); ++i) {
    EDGEWRIGHT_ASSIGN(const Dims part, importer.output_dims(i));
    if (part.size() != dims.size()) return bad_input("part {} has another rank", i);
    const int64_t end = begin + part[static_cast<size_t>(axis)];
    Value* slice = importer.add(
        "Slice",
        {x, importer.int_list({begin}), importer.int_list({end}), importer.int_list({axis})},
        x->type.dtype);
    EDGEWRIGHT_TRY(importer.finish(slice, i));
    begin = end;
  }
  return {};
}

// One flag an axis; none where the parameter is not there.
Result<std::vector<int64_t>> mask_of(Importer& importer, std::string_view name, size_t rank) {
  if (!importer.has(name)) return std::vector<int64_t>(rank, 0);
  EDGEWRIGHT_ASSIGN(auto mask, importer.ints(name));
  if (mask.size() != rank) return bad_input("{} of {} for {} axes", name, mask.size(), rank);
  return mask;
}

Status read_slice(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(auto begin, importer.ints("begin"));
  EDGEWRIGHT_ASSIGN(auto end, importer.ints("end"));
  const size_t rank = begin.size();
  std::vector<int64_t> steps(rank, 1), axes, gone;
  if (importer.has("stride")) {
    EDGEWRIGHT_ASSIGN(steps, importer.ints("stride"));
  }
  if (end.size() != rank || steps.size() != rank) {
    return bad_input("bounds of {}, {} and {} axes", rank, end.size(), steps.size());
  }
  EDGEWRIGHT_ASSIGN(const auto from_front, mask_of(importer, "begin_mask", rank));
  EDGEWRIGHT_ASSIGN(const auto to_back, mask_of(importer, "end_mask", rank));
  EDGEWRIGHT_ASSIGN(const auto squeezed, mask_of(importer, "squeeze_mask", rank));
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
  for (size_t i = 0; i < rank; ++i) {
    axes.push_back(static_cast<int64_t>(i));
    if (steps[i] == 0) return bad_input("a stride of 0");
    if (squeezed[i] != 0) {
      gone.push_back(static_cast<int64_t>(i));
      end[i] = begin[i] == -1 ? kFar : begin[i] + 1;
      steps[i] = 1;
      continue;
    }
    if (from_front[i] != 0) begin[i] = steps[i] < 0 ? kFar : 0;
    if (to_back[i] != 0) end[i] = steps[i] < 0 ? -kFar : kFar;
  }
  Value* result = importer.add("Slice",
                               {x, importer.int_list(begin), importer.int_list(end),
                                importer.int_list(axes), importer.int_list(steps)},
                               x->type.dtype);
  if (!gone.empty()) {
    result = importer.add("Squeeze", {result, importer.int_list(gone)}, x->type.dtype);
  }
  return importer.finish(result);
}

Status read_gather(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(Value * indices, importer.input("indices"));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.integer("axis", 0));
  EDGEWRIGHT_ASSIGN(const int64_t batch_dims, importer.integer("batch_dims", 0));
  if (batch_dims != 0) return unsupported("batch_dims {}", batch_dims);
  Attributes attributes;
  attributes.set("axis", axis);
  return importer.finish(
      importer.add("Gather", {x, indices}, x->type.dtype, std::move(attributes)));
}

Status read_tile(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const auto repeats, importer.ints("reps"));
  return importer.finish(importer.add("Tile", {x, importer.int_list(repeats)}, x->type.dtype));
}

// Pairs of numbers before and behind, of the last axes.
Status read_pad(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const auto pairs, importer.ints("pad"));
  EDGEWRIGHT_ASSIGN(const std::string mode, importer.text("mode", "constant"));
  EDGEWRIGHT_ASSIGN(const float fill, importer.number("constant_val", 0));
  EDGEWRIGHT_ASSIGN(const Dims dims, importer.dims("x"));
  if (pairs.size() % 2 != 0 || pairs.size() / 2 > dims.size()) {
    return bad_input("{} pads for {} axes", pairs.size(), dims.size());
  }
  if (mode != "constant" && mode != "reflect" && mode != "replicate") {
    return bad_input("mode '{}'", mode);
  }
  std::vector<int64_t> pads(2 * dims.size(), 0);
  const size_t first = dims.size() - pairs.size() / 2;
  for (size_t i = 0; i < pairs.size() / 2; ++i) {
    pads[first + i] = pairs[2 * i];
    pads[dims.size() + first + i] = pairs[2 * i + 1];
  }
  Attributes attributes;
  attributes.set("mode", mode == "replicate" ? std::string("edge") : mode);
  std::vector<Value*> inputs = {x, importer.int_list(pads)};
  if (mode == "constant") inputs.push_back(importer.scalar_like(x, fill));
  return importer.finish(
      importer.add("Pad", std::move(inputs), x->type.dtype, std::move(attributes)));
}

Status read_axes(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  const bool expands = importer.operation().type == "expand_dims";
  std::vector<Value*> inputs = {x};
  if (expands || importer.has("axes")) {
    EDGEWRIGHT_ASSIGN(const auto axes, importer.ints("axes"));
    inputs.push_back(importer.int_list(axes));
  }
  return importer.finish(
      importer.add(expands ? "Unsqueeze" : "Squeeze", std::move(inputs), x->type.dtype));
}

constexpr ImportRow kRows[] = {
    {"reshape", read_reshape}, {"transpose", read_transpose}, {"concat", read_concat},
    {"stack", read_stack},     {"split", read_split},         {"slice_by_index", read_slice},
    {"gather", read_gather},   {"tile", read_tile},           {"pad", read_pad},
    {"squeeze", read_axes},    {"expand_dims", read_axes},
};

}  // namespace

std::span<const ImportRow> import_movement_rows() { return kRows; }

}  // namespace edgewright::coreml
