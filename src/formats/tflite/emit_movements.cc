// Operators that only move elements: integers stay integers with their scale.
#include <algorithm>
#include <numeric>

#include "formats/tflite/emit.h"

namespace edgewright::tflite_io {
namespace {

size_t rank_of(const Value* value) { return dims_of(value).size(); }

// The tensor of an input as it is, integers before reals, and the form that the output gets.
struct Source {
  int tensor;
  Form form;
};
Source source_of(Emitter& emitter, const Value* value, Layout layout) {
  if (emitter.has_integer(value)) return {emitter.integer(value, layout), Form::kInteger};
  return {emitter.real(value, layout), Form::kReal};
}

// The result has the type and rounding of the source.
Emitter::Result1 moved(Emitter& emitter, const Source& source, const Value* output, Layout layout) {
  const auto shape = Emitter::like(output, layout);
  return emitter.same(source.tensor, shape.dims, shape.name);
}

// Reshape, Flatten, Squeeze, Unsqueeze: the shapes are known.
Status emit_reshape(Emitter& emitter, const Node& node) {
  const Source source = source_of(emitter, node.inputs[0], Layout::kPlain);
  const Value* output = node.outputs[0];
  emitter.give(output, Layout::kPlain, source.form,
               emitter.reshape(source.tensor, dims_of(output), output->name));
  return {};
}

Status emit_transpose(Emitter& emitter, const Node& node) {
  const std::vector<int64_t> order = permutation_of(node, rank_of(node.inputs[0]));
  const Value* output = node.outputs[0];
  // What is stored with the channels last already is the transposed value as it is.
  const bool to_last = order == std::vector<int64_t>{0, 2, 3, 1};
  if (to_last && emitter.layout_of(node) == Layout::kNhwc) {
    const Source source = source_of(emitter, node.inputs[0], Layout::kNhwc);
    emitter.give(output, Layout::kPlain, source.form, source.tensor);
    return {};
  }
  const Source source = source_of(emitter, node.inputs[0], Layout::kPlain);
  if (order == std::vector<int64_t>{0, 3, 1, 2}) {
    emitter.give(output, Layout::kNhwc, source.form, source.tensor);
    return {};
  }
  emitter.give(output, Layout::kPlain, source.form, emitter.transpose(source.tensor, order));
  return {};
}
bool has_kernel_rank(const Node& node) { return rank_of(node.inputs[0]) <= 6; }

Status emit_concat(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  const Value* output = node.outputs[0];
  const auto rounding = Emitter::rounding_of(output);
  const bool integers = rounding && std::ranges::all_of(node.inputs, [&](const Value* value) {
                          return emitter.has_integer(value);
                        });
  std::vector<int> inputs;
  for (const Value* value : node.inputs) {
    // The kernel moves bytes: all have the result's scale.
    inputs.push_back(integers ? emitter.requantise(emitter.integer(value, layout), *rounding)
                              : emitter.real(value, layout));
  }
  Emitter::Result1 result = Emitter::like(output, layout);
  if (integers) {
    result.type = schema::TensorType::INT8;
    result.quant = rounding;
  }
  schema::ConcatenationOptionsT options;
  options.axis =
      static_cast<int32_t>(axis_in(layout, node.attributes.get_int("axis", 0), rank_of(output)));
  emitter.give(output, layout, integers ? Form::kInteger : Form::kReal,
               emitter.add(Operator::CONCATENATION, integers ? 2 : 1, std::move(inputs), result,
                           std::move(options)));
  return {};
}

Status emit_split(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  const size_t rank = rank_of(node.inputs[0]);
  const int64_t plain = axis_in(Layout::kPlain, node.attributes.get_int("axis", 0), rank);
  const auto axis = static_cast<int32_t>(axis_in(layout, plain, rank));
  const Source source = source_of(emitter, node.inputs[0], layout);
  std::vector<int64_t> lengths;
  std::vector<Emitter::Result1> results;
  for (const Value* output : node.outputs) {
    lengths.push_back(dims_of(output)[static_cast<size_t>(plain)]);
    results.push_back(moved(emitter, source, output, layout));
  }
  schema::BuiltinOptionsUnion options;
  schema::SplitVOptionsT split;
  split.num_splits = static_cast<int32_t>(node.outputs.size());
  options.Set(std::move(split));
  const auto tensors = emitter.append(Operator::SPLIT_V, 1,
                                      {source.tensor, emitter.ints(lengths),
                                       emitter.constant(Tensor::scalar<int32_t>(axis), "axis")},
                                      std::move(results), std::move(options));
  for (size_t i = 0; i < tensors.size(); ++i) {
    emitter.give(node.outputs[i], layout, source.form, tensors[i]);
  }
  return {};
}
bool gives_all(const Node& node) {
  return std::ranges::none_of(node.outputs, [](const Value* v) { return v == nullptr; });
}

bool slices_constants(const Node& node) {
  const auto steps = constant_ints(node, 4);
  const bool given = node.constant_input(1) != nullptr && node.constant_input(2) != nullptr &&
                     (node.input(3) == nullptr || node.constant_input(3) != nullptr) &&
                     (node.input(4) == nullptr || node.constant_input(4) != nullptr);
  return given && rank_of(node.inputs[0]) <= 5 &&
         std::ranges::all_of(steps, [](int64_t step) { return step > 0; });
}
Status emit_slice(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  const size_t rank = rank_of(node.inputs[0]);
  const Dims dims = dims_of(node.inputs[0]);
  const auto starts = constant_ints(node, 1);
  auto axes = constant_ints(node, 3), steps = constant_ints(node, 4);
  if (node.input(3) == nullptr) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (node.input(4) == nullptr) steps.assign(starts.size(), 1);
  std::vector<int64_t> begin(rank, 0), stride(rank, 1), end(rank);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t plain = axis_in(Layout::kPlain, axes[i], rank);
    const int64_t size = dims[static_cast<size_t>(plain)];
    const int64_t start = starts[i] < 0 ? starts[i] + size : starts[i];
    const auto at = static_cast<size_t>(axis_in(layout, plain, rank));
    begin[at] = std::clamp<int64_t>(start, 0, size);
    stride[at] = steps[i];
  }
  const Source source = source_of(emitter, node.inputs[0], layout);
  const Emitter::Result1 result = moved(emitter, source, node.outputs[0], layout);
  for (size_t i = 0; i < rank; ++i) {
    // The last element taken, and one beyond.
    end[i] = result.dims[i] == 0 ? begin[i] : begin[i] + (result.dims[i] - 1) * stride[i] + 1;
  }
  emitter.give(
      node.outputs[0], layout, source.form,
      emitter.add(Operator::STRIDED_SLICE, 2,
                  {source.tensor, emitter.ints(begin), emitter.ints(end), emitter.ints(stride)},
                  result, schema::StridedSliceOptionsT()));
  return {};
}

Status emit_expand(Emitter& emitter, const Node& node) {
  emitter.give(node.outputs[0], Layout::kPlain, Form::kReal,
               emitter.add(Operator::BROADCAST_TO, 2,
                           {emitter.real(node.inputs[0]), emitter.ints(dims_of(node.outputs[0]))},
                           Emitter::like(node.outputs[0]), schema::BroadcastToOptionsT()));
  return {};
}

Status emit_tile(Emitter& emitter, const Node& node) {
  const Source source = source_of(emitter, node.inputs[0], Layout::kPlain);
  emitter.give(
      node.outputs[0], Layout::kPlain, source.form,
      emitter.add(Operator::TILE, 1, {source.tensor, emitter.ints(constant_ints(node, 1))},
                  moved(emitter, source, node.outputs[0], Layout::kPlain), schema::TileOptionsT()));
  return {};
}
bool repeats_known(const Node& node) { return node.constant_input(1) != nullptr; }

bool pads_constants(const Node& node) {
  const std::string mode = node.attributes.get_string("mode", "constant");
  const auto pads = constant_ints(node, 1);
  const bool cuts = std::ranges::any_of(pads, [](int64_t pad) { return pad < 0; });
  const bool fill = node.input(2) == nullptr || constant_number(node, 2).has_value();
  return node.constant_input(1) != nullptr && node.input(3) == nullptr && !cuts && fill &&
         node.inputs[0]->type.dtype == DType::kFloat32 && rank_of(node.inputs[0]) <= 5 &&
         (mode == "constant" || mode == "reflect");
}
Status emit_pad(Emitter& emitter, const Node& node) {
  const Layout layout = emitter.layout_of(node);
  const size_t rank = rank_of(node.inputs[0]);
  const auto pads = constant_ints(node, 1);
  std::vector<int32_t> table(2 * rank, 0);
  for (size_t i = 0; i < rank; ++i) {
    const auto at = static_cast<size_t>(axis_in(layout, static_cast<int64_t>(i), rank));
    table[2 * at] = static_cast<int32_t>(pads[i]);
    table[2 * at + 1] = static_cast<int32_t>(pads[i + rank]);
  }
  const int around = emitter.constant(
      Tensor::of<int32_t>({static_cast<int64_t>(rank), 2}, std::span<const int32_t>(table)),
      "padding");
  const int source = emitter.real(node.inputs[0], layout);
  const Emitter::Result1 result = Emitter::like(node.outputs[0], layout);
  const float fill = constant_number(node, 2).value_or(0);
  int tensor = -1;
  if (node.attributes.get_string("mode", "constant") == "reflect") {
    tensor =
        emitter.add(Operator::MIRROR_PAD, 1, {source, around}, result, schema::MirrorPadOptionsT());
  } else if (fill == 0) {
    tensor = emitter.add(Operator::PAD, 1, {source, around}, result, schema::PadOptionsT());
  } else {
    tensor = emitter.add(Operator::PADV2, 1, {source, around, emitter.number(fill)}, result,
                         schema::PadV2OptionsT());
  }
  emitter.give(node.outputs[0], layout, Form::kReal, tensor);
  return {};
}

// Indices from the back are brought to the front: the kernel knows none.
bool gathers(const Node& node) {
  const DType dtype = node.inputs[1]->type.dtype;
  return dtype == DType::kInt64 || dtype == DType::kInt32;
}
Status emit_gather(Emitter& emitter, const Node& node) {
  const size_t rank = rank_of(node.inputs[0]);
  const int64_t axis = axis_in(Layout::kPlain, node.attributes.get_int("axis", 0), rank);
  const Source source = source_of(emitter, node.inputs[0], Layout::kPlain);
  int indices = -1;
  if (const Tensor* constant = node.constant_input(1)) {
    std::vector<int32_t> fixed;
    for (const int64_t index : constant_ints(node, 1)) {
      const int64_t size = dims_of(node.inputs[0])[static_cast<size_t>(axis)];
      fixed.push_back(static_cast<int32_t>(index < 0 ? index + size : index));
    }
    indices = emitter.constant(
        Tensor::of<int32_t>(constant->dims(), std::span<const int32_t>(fixed)), "indices");
  } else {
    indices = emitter.real(node.inputs[1]);
  }
  schema::GatherOptionsT options;
  options.axis = static_cast<int32_t>(axis);
  emitter.give(
      node.outputs[0], Layout::kPlain, source.form,
      emitter.add(Operator::GATHER, 1, {source.tensor, indices},
                  moved(emitter, source, node.outputs[0], Layout::kPlain), std::move(options)));
  return {};
}

Status emit_gather_nd(Emitter& emitter, const Node& node) {
  emitter.give(node.outputs[0], Layout::kPlain, Form::kReal,
               emitter.add(Operator::GATHER_ND, 1,
                           {emitter.real(node.inputs[0]), emitter.real(node.inputs[1])},
                           Emitter::like(node.outputs[0]), schema::GatherNdOptionsT()));
  return {};
}
bool gathers_whole(const Node& node) { return node.attributes.get_int("batch_dims", 0) == 0; }

constexpr EmitRow kRows[] = {
    {"Reshape", emit_reshape},
    {"Flatten", emit_reshape},
    {"Squeeze", emit_reshape},
    {"Unsqueeze", emit_reshape},
    {"Transpose", emit_transpose, has_kernel_rank},
    {"Concat", emit_concat},
    {"Split", emit_split, gives_all},
    {"Slice", emit_slice, slices_constants},
    {"Expand", emit_expand},
    {"Tile", emit_tile, repeats_known},
    {"Pad", emit_pad, pads_constants},
    {"Gather", emit_gather, gathers},
    {"GatherND", emit_gather_nd, gathers_whole},
};

}  // namespace

std::span<const EmitRow> movement_rows() { return kRows; }

}  // namespace edgewright::tflite_io
