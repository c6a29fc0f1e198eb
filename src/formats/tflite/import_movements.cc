#include <algorithm>
#include <limits>

#include "formats/tflite/import.h"

namespace edgewright::tflite_io {
namespace {

// RESHAPE, SQUEEZE, EXPAND_DIMS and the like: the file says what comes out.
Status read_reshape(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const Dims dims, importer.output_dims(0));
  Attributes attributes;
  attributes.set("allowzero", int64_t{1});
  return importer.finish(
      importer.add("Reshape", {x, importer.int_list(dims)}, std::move(attributes), x->type.dtype));
}

Status read_transpose(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(auto order, importer.ints(1));
  return importer.finish(importer.transpose(x, std::move(order)));
}

Status read_concat(Importer& importer) {
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::ConcatenationOptions>());
  std::vector<Value*> inputs;
  for (size_t i = 0; i < importer.inputs(); ++i) {
    EDGEWRIGHT_ASSIGN(Value * value, importer.input(i));
    inputs.push_back(value);
  }
  if (inputs.empty()) return bad_input("found no inputs, expected at least one");
  const DType dtype = inputs[0]->type.dtype;
  Attributes attributes;
  attributes.set("axis", int64_t{options->axis()});
  return importer.finish(importer.add("Concat", std::move(inputs), std::move(attributes), dtype),
                         options->fused_activation_function());
}

// PACK: a new axis of as many elements as there are inputs.
Status read_pack(Importer& importer) {
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::PackOptions>());
  std::vector<Value*> inputs;
  for (size_t i = 0; i < importer.inputs(); ++i) {
    EDGEWRIGHT_ASSIGN(Value * value, importer.input(i));
    inputs.push_back(importer.add("Unsqueeze", {value, importer.int_list({options->axis()})}, {},
                                  value->type.dtype));
  }
  if (inputs.empty()) return bad_input("found no inputs, expected at least one");
  const DType dtype = inputs[0]->type.dtype;
  Attributes attributes;
  attributes.set("axis", int64_t{options->axis()});
  return importer.finish(importer.add("Concat", std::move(inputs), std::move(attributes), dtype));
}

// SPLIT has the axis first, SPLIT_V lengths and then the axis.
Status read_split(Importer& importer) {
  const bool lengths = importer.code() == Operator::SPLIT_V;
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(lengths ? 0 : 1));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.one_int(lengths ? 2 : 0));
  EDGEWRIGHT_ASSIGN(const Dims dims, importer.dims(lengths ? 0 : 1));
  const auto rank = static_cast<int64_t>(dims.size());
  if (axis < -rank || axis >= rank) return bad_input("axis {} of {} axes", axis, rank);
  const auto at = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  int64_t begin = 0;
  for (size_t i = 0; i < importer.outputs(); ++i) {
    EDGEWRIGHT_ASSIGN(const Dims part, importer.output_dims(i));
    if (part.size() != dims.size()) return bad_input("part {} has another rank", i);
    Value* slice = importer.add("Slice",
                                {x, importer.int_list({begin}),
                                 importer.int_list({begin + part[at]}), importer.int_list({axis})},
                                {}, x->type.dtype);
    EDGEWRIGHT_TRY(importer.finish(slice, Activation::NONE, i));
    begin += part[at];
  }
  return {};
}

Status read_slice(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto begin, importer.ints(1));
  EDGEWRIGHT_ASSIGN(const auto size, importer.ints(2));
  if (begin.size() != size.size())
    return bad_input("{} begins, {} sizes", begin.size(), size.size());
  std::vector<int64_t> end, axes;
  for (size_t i = 0; i < begin.size(); ++i) {
    // A size of -1 means all that is left.
    end.push_back(size[i] < 0 ? std::numeric_limits<int64_t>::max() : begin[i] + size[i]);
    axes.push_back(static_cast<int64_t>(i));
  }
  return importer.finish(importer.add(
      "Slice", {x, importer.int_list(begin), importer.int_list(end), importer.int_list(axes)}, {},
      x->type.dtype));
}

Status read_strided_slice(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(auto begin, importer.ints(1));
  EDGEWRIGHT_ASSIGN(auto end, importer.ints(2));
  EDGEWRIGHT_ASSIGN(auto steps, importer.ints(3));
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::StridedSliceOptions>());
  if (end.size() != begin.size() || steps.size() != begin.size() || begin.size() > 31) {
    return bad_input("bounds of {}, {} and {} axes", begin.size(), end.size(), steps.size());
  }
  if (options->ellipsis_mask() != 0 || options->new_axis_mask() != 0 || options->offset()) {
    return unsupported("an ellipsis, a new axis or offsets");
  }
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max();
  std::vector<int64_t> axes, gone;
  for (size_t i = 0; i < begin.size(); ++i) {
    axes.push_back(static_cast<int64_t>(i));
    const auto bit = [&](int mask) { return ((mask >> i) & 1) != 0; };
    if (bit(options->shrink_axis_mask())) {
      gone.push_back(static_cast<int64_t>(i));
      end[i] = begin[i] == -1 ? kFar : begin[i] + 1;
      steps[i] = 1;
      continue;
    }
    if (bit(options->begin_mask())) begin[i] = steps[i] < 0 ? kFar : 0;
    if (bit(options->end_mask())) end[i] = steps[i] < 0 ? -kFar : kFar;
  }
  Value* result = importer.add("Slice",
                               {x, importer.int_list(begin), importer.int_list(end),
                                importer.int_list(axes), importer.int_list(steps)},
                               {}, x->type.dtype);
  if (!gone.empty()) {
    result = importer.add("Squeeze", {result, importer.int_list(gone)}, {}, x->type.dtype);
  }
  return importer.finish(result);
}

// Pairs of numbers before and behind, one an axis.
Status read_pad(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto table, importer.ints(1));
  std::vector<int64_t> pads;
  for (size_t side = 0; side < 2; ++side) {
    for (size_t i = side; i < table.size(); i += 2) pads.push_back(table[i]);
  }
  Attributes attributes;
  std::vector<Value*> inputs = {x, importer.int_list(pads)};
  if (importer.code() == Operator::MIRROR_PAD) {
    EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::MirrorPadOptions>());
    if (options->mode() != schema::MirrorPadMode::REFLECT) return unsupported("mode SYMMETRIC");
    attributes.set("mode", std::string("reflect"));
  }
  if (importer.code() == Operator::PADV2) {
    EDGEWRIGHT_ASSIGN(Value * fill, importer.input(2));
    inputs.push_back(fill);
  }
  return importer.finish(
      importer.add("Pad", std::move(inputs), std::move(attributes), x->type.dtype));
}

Status read_gather(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * indices, importer.input(1));
  const auto* options = importer.table<schema::GatherOptions>();
  if (options != nullptr && options->batch_dims() != 0) {
    return unsupported("batch_dims {}", options->batch_dims());
  }
  Attributes attributes;
  attributes.set("axis", int64_t{options == nullptr ? 0 : options->axis()});
  return importer.finish(
      importer.add("Gather", {x, indices}, std::move(attributes), x->type.dtype));
}

Value* as_int64(Importer& importer, Value* value) {
  if (value->type.dtype == DType::kInt64) return value;
  Attributes attributes;
  attributes.set("to", static_cast<int64_t>(DType::kInt64));
  return importer.add("Cast", {value}, std::move(attributes), DType::kInt64);
}

Status read_gather_nd(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * indices, importer.input(1));
  return importer.finish(
      importer.add("GatherND", {x, as_int64(importer, indices)}, {}, x->type.dtype));
}

Status read_broadcast(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto target, importer.ints(1));
  return importer.finish(importer.add("Expand", {x, importer.int_list(target)}, {}, x->type.dtype));
}

Status read_tile(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto repeats, importer.ints(1));
  return importer.finish(importer.add("Tile", {x, importer.int_list(repeats)}, {}, x->type.dtype));
}

constexpr ImportRow kRows[] = {
    {Operator::RESHAPE, read_reshape},
    {Operator::SQUEEZE, read_reshape},
    {Operator::EXPAND_DIMS, read_reshape},
    {Operator::TRANSPOSE, read_transpose},
    {Operator::CONCATENATION, read_concat},
    {Operator::PACK, read_pack},
    {Operator::SPLIT, read_split},
    {Operator::SPLIT_V, read_split},
    {Operator::SLICE, read_slice},
    {Operator::STRIDED_SLICE, read_strided_slice},
    {Operator::PAD, read_pad},
    {Operator::PADV2, read_pad},
    {Operator::MIRROR_PAD, read_pad},
    {Operator::GATHER, read_gather},
    {Operator::GATHER_ND, read_gather_nd},
    {Operator::BROADCAST_TO, read_broadcast},
    {Operator::TILE, read_tile},
};

}  // namespace

std::span<const ImportRow> import_movement_rows() { return kRows; }

}  // namespace edgewright::tflite_io
