// Operators that rearrange the elements of whole tensors: any element type.
#include <algorithm>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/elements.h"
#include "kernels/reference/walk.h"

namespace edgewright {
namespace {

using namespace reference;

// Output 0 = the input seen as `view_dims`, its axes in the order `order`, given `out_dims`.
Status permute(OpCall& call, const Tensor& x, const Dims& view_dims, std::span<const size_t> order,
               Dims out_dims) {
  const Dims dense = row_major_strides(view_dims);
  Dims dims;
  Dims strides;
  for (const size_t axis : order) {
    dims.push_back(view_dims[axis]);
    strides.push_back(dense[axis]);
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x.dtype(), std::move(out_dims)));
  copy_view(x, 0, dims, strides, *out);
  return {};
}

Status transpose(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  std::vector<int64_t> perm = call.attributes->get_ints("perm");
  if (!call.attributes->contains("perm")) {
    for (size_t i = x->rank(); i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  }
  if (perm.size() != x->rank()) {
    return bad_input("Transpose: {} axes in perm for a tensor of rank {}", perm.size(), x->rank());
  }
  EDGEWRIGHT_ASSIGN(const std::vector<size_t> order, checked_axes(call, perm, x->rank()));
  Dims dims;
  for (const size_t axis : order) dims.push_back(x->dim(axis));
  return permute(call, *x, x->dims(), order, std::move(dims));
}

Result<Dims> concatenated_dims(const OpCall& call, std::span<const Tensor* const> parts,
                               size_t axis) {
  Dims dims = parts[0]->dims();
  dims[axis] = 0;
  for (const Tensor* part : parts) {
    EDGEWRIGHT_TRY(same_type(call, *parts[0], *part));
    Dims expected = dims;
    if (part->rank() == dims.size()) expected[axis] = part->dim(axis);
    if (part->dims() != expected) {
      return bad_input("Concat: shapes {} and {} differ outside axis {}",
                       dims_text(parts[0]->dims()), dims_text(part->dims()), axis);
    }
    if (__builtin_add_overflow(dims[axis], part->dim(axis), &dims[axis])) {
      return bad_input("Concat: the result is too long");
    }
  }
  return dims;
}

Status concat(OpCall& call) {
  std::vector<const Tensor*> parts;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    EDGEWRIGHT_ASSIGN(const Tensor* part, call.tensor(i));
    parts.push_back(part);
  }
  if (parts.empty()) return bad_input("Concat: no inputs");
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", 0), parts[0]->rank()));
  EDGEWRIGHT_ASSIGN(const Dims dims, concatenated_dims(call, parts, axis));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, parts[0]->dtype(), dims));
  const AxisSplit whole = split_at(dims, axis);
  int64_t start = 0;
  for (const Tensor* part : parts) {
    const ElementCopier copier(*part, *out);
    const int64_t run = part->dim(axis) * whole.inner;
    for (int64_t i = 0; i < whole.outer; ++i) {
      copier.copy(i * whole.size * whole.inner + start, i * run, run);
    }
    start += run;
  }
  return {};
}

// Lengths of the parts: given, or equal with a shorter last one.
Result<std::vector<int64_t>> split_lengths(const OpCall& call, int64_t size) {
  EDGEWRIGHT_ASSIGN(auto given, optional_int64s(call, 1));
  if (given) return *std::move(given);
  const int64_t parts =
      call.attributes->get_int("num_outputs", static_cast<int64_t>(call.output_count));
  if (parts <= 0 || parts != static_cast<int64_t>(call.output_count)) {
    return bad_input("Split: num_outputs is {} for {} outputs", parts, call.output_count);
  }
  const int64_t length = size / parts + (size % parts != 0);
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < parts; ++i) {
    lengths.push_back(std::min(length, size));
    size -= lengths.back();
  }
  return lengths;
}

Status split(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", 0), x->rank()));
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> lengths, split_lengths(call, x->dim(axis)));
  int64_t rest = x->dim(axis);
  for (const int64_t length : lengths) {
    if (length < 0 || length > rest) rest = -1;
    if (rest >= 0) rest -= length;
  }
  if (rest != 0 || lengths.size() != call.output_count) {
    return bad_input("Split: lengths {} for {} outputs of an axis of {}", dims_text(lengths),
                     call.output_count, x->dim(axis));
  }
  const Dims strides = row_major_strides(x->dims());
  int64_t start = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    Dims dims = x->dims();
    dims[axis] = lengths[i];
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(i, x->dtype(), dims));
    copy_view(*x, start * strides[axis], dims, strides, *out);
    start += lengths[i];
  }
  return {};
}

struct SliceRange {
  int64_t start, step, count;
};

// Bounds as in Python: negative ones count from the end, all are clamped.
SliceRange slice_range(int64_t start, int64_t end, int64_t step, int64_t size) {
  const int64_t lowest = step > 0 ? 0 : -1;
  const int64_t highest = step > 0 ? size : size - 1;
  const auto bound = [&](int64_t value) {
    if (value < 0) value = value < -size ? lowest : value + size;
    return std::clamp(value, lowest, highest);
  };
  start = bound(start);
  end = bound(end);
  // Unsigned: the lowest step has no positive twin.
  const uint64_t stride =
      step > 0 ? static_cast<uint64_t>(step) : uint64_t{0} - static_cast<uint64_t>(step);
  const int64_t distance = step > 0 ? end - start : start - end;
  if (distance <= 0) return {0, 1, 0};
  const auto count = static_cast<int64_t>((static_cast<uint64_t>(distance) - 1) / stride + 1);
  return {start, count == 1 ? 1 : step, count};
}

Status slice(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> starts, int64s(call, 1));
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> ends, int64s(call, 2));
  EDGEWRIGHT_ASSIGN(auto given_axes, optional_int64s(call, 3));
  EDGEWRIGHT_ASSIGN(auto given_steps, optional_int64s(call, 4));
  if (!given_axes) {
    given_axes.emplace();
    for (int64_t i = 0; i < std::ssize(starts); ++i) given_axes->push_back(i);
  }
  if (!given_steps) given_steps.emplace(starts.size(), 1);
  EDGEWRIGHT_ASSIGN(const auto axes, checked_axes(call, *given_axes, x->rank()));
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      given_steps->size() != starts.size()) {
    return bad_input("Slice: {} starts, {} ends, {} axes and {} steps", starts.size(), ends.size(),
                     axes.size(), given_steps->size());
  }
  Dims dims = x->dims();
  Dims strides = row_major_strides(dims);
  int64_t offset = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t axis = axes[i];
    if ((*given_steps)[i] == 0) return bad_input("Slice: a step of zero");
    const SliceRange range = slice_range(starts[i], ends[i], (*given_steps)[i], x->dim(axis));
    dims[axis] = range.count;
    if (x->element_count() == 0) continue;
    offset += range.start * strides[axis];
    strides[axis] *= range.step;
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), dims));
  copy_view(*x, offset, dims, strides, *out);
  return {};
}

Status tile(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> repeats, int64s(call, 1));
  if (repeats.size() != x->rank()) {
    return bad_input("Tile: {} repeats for a tensor of rank {}", repeats.size(), x->rank());
  }
  const Dims dense = row_major_strides(x->dims());
  Dims out_dims;
  Dims dims;
  Dims strides;
  for (size_t i = 0; i < repeats.size(); ++i) {
    int64_t dim = 0;
    if (repeats[i] < 0 || __builtin_mul_overflow(repeats[i], x->dim(i), &dim)) {
      return bad_input("Tile: {} repeats of a dimension of {}", repeats[i], x->dim(i));
    }
    out_dims.push_back(dim);
    dims.insert(dims.end(), {repeats[i], x->dim(i)});
    strides.insert(strides.end(), {0, dense[i]});
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), std::move(out_dims)));
  copy_view(*x, 0, dims, strides, *out);
  return {};
}

Status expand(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Dims shape, int64s(call, 1));
  EDGEWRIGHT_TRY(checked_element_count(shape));
  EDGEWRIGHT_ASSIGN(const Dims dims, broadcast_dims(x->dims(), shape));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), dims));
  copy_view(*x, 0, dims, broadcast_strides(x->dims(), dims), *out);
  return {};
}

// Block size of a 4-d input whose dimensions `axes` it must divide, `times` over.
Result<int64_t> block_size(const OpCall& call, const Tensor& x) {
  const int64_t block = call.attributes->get_int("blocksize", 0);
  if (x.rank() != 4 || block <= 0 || block > (int64_t{1} << 20)) {
    return bad_input("{}: blocks of {} in a tensor of shape {}", call.op, block,
                     dims_text(x.dims()));
  }
  return block;
}

Result<bool> depth_first(const OpCall& call) {
  const std::string mode = call.attributes->get_string("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") {
    return bad_input("{}: mode \"{}\" is neither DCR nor CRD", call.op, mode);
  }
  return mode == "DCR";
}

Status depth_to_space(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const int64_t block, block_size(call, *x));
  EDGEWRIGHT_ASSIGN(const bool dcr, depth_first(call));
  const Dims& d = x->dims();
  const int64_t depth = d[1] / (block * block);
  int64_t height = 0;
  int64_t width = 0;
  if (d[1] % (block * block) != 0 || __builtin_mul_overflow(d[2], block, &height) ||
      __builtin_mul_overflow(d[3], block, &width)) {
    return bad_input("DepthToSpace: {} channels in blocks of {}", d[1], block);
  }
  const Dims out = {d[0], depth, height, width};
  if (dcr) {
    constexpr size_t kOrder[] = {0, 3, 4, 1, 5, 2};
    return permute(call, *x, {d[0], block, block, depth, d[2], d[3]}, kOrder, out);
  }
  constexpr size_t kOrder[] = {0, 1, 4, 2, 5, 3};
  return permute(call, *x, {d[0], depth, block, block, d[2], d[3]}, kOrder, out);
}

Status space_to_depth(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const int64_t block, block_size(call, *x));
  EDGEWRIGHT_ASSIGN(const bool dcr, depth_first(call));
  const Dims& d = x->dims();
  int64_t depth = 0;
  if (d[2] % block != 0 || d[3] % block != 0 ||
      __builtin_mul_overflow(d[1], block * block, &depth)) {
    return bad_input("SpaceToDepth: blocks of {} in a tensor of shape {}", block, dims_text(d));
  }
  const Dims view = {d[0], d[1], d[2] / block, block, d[3] / block, block};
  const Dims out = {d[0], depth, d[2] / block, d[3] / block};
  constexpr size_t kBlocksFirst[] = {0, 3, 5, 1, 2, 4};
  constexpr size_t kChannelsFirst[] = {0, 1, 3, 5, 2, 4};
  return dcr ? permute(call, *x, view, kBlocksFirst, out)
             : permute(call, *x, view, kChannelsFirst, out);
}

Status reverse_sequence(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_TRY(expect_rank_at_least(call, *x, 2));
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> lengths, int64s(call, 1));
  const Attributes& attributes = *call.attributes;
  EDGEWRIGHT_ASSIGN(const size_t batch_axis,
                    checked_axis(call, attributes.get_int("batch_axis", 1), 2));
  EDGEWRIGHT_ASSIGN(const size_t time_axis,
                    checked_axis(call, attributes.get_int("time_axis", 0), 2));
  if (batch_axis == time_axis || std::ssize(lengths) != x->dim(batch_axis)) {
    return bad_input("ReverseSequence: {} lengths, batch axis {} and time axis {} of shape {}",
                     lengths.size(), batch_axis, time_axis, dims_text(x->dims()));
  }
  const int64_t time = x->dim(time_axis);
  for (const int64_t length : lengths) {
    if (length < 0 || length > time) {
      return bad_input("ReverseSequence: a length of {} in {} steps", length, time);
    }
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), x->dims()));
  if (x->element_count() == 0) return {};
  const int64_t run = product(x->dims(), 2, x->rank());
  const Dims strides = row_major_strides(x->dims());
  const ElementCopier copier(*x, *out);
  for (int64_t batch = 0; batch < x->dim(batch_axis); ++batch) {
    const int64_t length = lengths[static_cast<size_t>(batch)];
    for (int64_t step = 0; step < time; ++step) {
      const int64_t from = step < length ? length - 1 - step : step;
      const int64_t at = batch * strides[batch_axis];
      copier.copy(at + step * strides[time_axis], at + from * strides[time_axis], run);
    }
  }
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Transpose", transpose},
    {"", "Concat", concat},
    {"", "Split", split},
    {"", "Slice", slice},
    {"", "Tile", tile},
    {"", "Expand", expand},
    {"", "DepthToSpace", depth_to_space},
    {"", "SpaceToDepth", space_to_depth},
    {"", "ReverseSequence", reverse_sequence},
};

}  // namespace

std::span<const ReferenceKernel> movement_reference_kernels() { return kKernels; }

}  // namespace edgewright
