// Gather, GatherElements and GatherND: elements chosen by index tensors.
#include <algorithm>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/elements.h"
#include "kernels/reference/walk.h"

namespace edgewright {
namespace {

using namespace reference;

// All indices, checked against a dimension of `size` and made non-negative.
Result<std::vector<int64_t>> indices_within(const OpCall& call, size_t input, int64_t size) {
  EDGEWRIGHT_ASSIGN(const Tensor* tensor, call.tensor(input));
  EDGEWRIGHT_ASSIGN(std::vector<int64_t> indices, tensor->to_int64s());
  for (int64_t& index : indices) {
    EDGEWRIGHT_ASSIGN(index, checked_index(call, index, size));
  }
  return indices;
}

Status gather(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* index_tensor, call.tensor(1));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", 0), x->rank()));
  EDGEWRIGHT_ASSIGN(const auto indices, indices_within(call, 1, x->dim(axis)));
  const auto split_point = x->dims().begin() + static_cast<std::ptrdiff_t>(axis);
  Dims dims(x->dims().begin(), split_point);
  dims.insert(dims.end(), index_tensor->dims().begin(), index_tensor->dims().end());
  dims.insert(dims.end(), split_point + 1, x->dims().end());
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), std::move(dims)));
  const AxisSplit split = split_at(x->dims(), axis);
  const ElementCopier copier(*x, *out);
  int64_t to = 0;
  for (int64_t i = 0; i < split.outer; ++i) {
    for (const int64_t index : indices) {
      copier.copy(to, (i * split.size + index) * split.inner, split.inner);
      to += split.inner;
    }
  }
  return {};
}

Status gather_elements(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* index_tensor, call.tensor(1));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", 0), x->rank()));
  const Dims& dims = index_tensor->dims();
  bool fits = dims.size() == x->rank();
  for (size_t i = 0; fits && i < dims.size(); ++i) fits = i == axis || dims[i] <= x->dim(i);
  if (!fits) {
    return bad_input("GatherElements: indices of shape {} for a tensor of shape {}",
                     dims_text(dims), dims_text(x->dims()));
  }
  EDGEWRIGHT_ASSIGN(const auto indices, indices_within(call, 1, x->dim(axis)));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), dims));
  Dims strides = row_major_strides(x->dims());
  const int64_t step = strides[axis];
  strides[axis] = 0;  // the index takes the place of the position along the axis
  const StridedWalk walk(dims, {strides});
  const ElementCopier copier(*x, *out);
  int64_t to = 0;
  walk.for_each_row([&](const int64_t* offsets, int64_t count) {
    for (int64_t i = 0; i < count; ++i, ++to) {
      const int64_t index = indices[static_cast<size_t>(to)];
      copier.copy(to, offsets[0] + i * walk.inner_stride(0) + index * step, 1);
    }
  });
  return {};
}

Status gather_nd(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* index_tensor, call.tensor(1));
  const Dims& index_dims = index_tensor->dims();
  const int64_t batch_dims = call.attributes->get_int("batch_dims", 0);
  const auto rank = static_cast<int64_t>(x->rank());
  const auto index_rank = static_cast<int64_t>(index_dims.size());
  const int64_t depth = index_dims.empty() ? 0 : index_dims.back();
  if (rank < 1 || index_rank < 1 || batch_dims < 0 || batch_dims >= std::min(rank, index_rank) ||
      depth < 1 || depth > rank - batch_dims) {
    return bad_input("GatherND: indices of shape {} and {} batch axes for a tensor of shape {}",
                     dims_text(index_dims), batch_dims, dims_text(x->dims()));
  }
  const auto batches_at = static_cast<size_t>(batch_dims);
  const size_t slice_at = batches_at + static_cast<size_t>(depth);
  for (size_t i = 0; i < batches_at; ++i) {
    if (x->dim(i) != index_dims[i]) {
      return bad_input("GatherND: batch axis {} of shapes {} and {} differs", i,
                       dims_text(x->dims()), dims_text(index_dims));
    }
  }
  Dims dims(index_dims.begin(), index_dims.end() - 1);
  dims.insert(dims.end(), x->dims().begin() + static_cast<std::ptrdiff_t>(slice_at),
              x->dims().end());
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), std::move(dims)));
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> indices, index_tensor->to_int64s());
  if (out->element_count() == 0) return {};
  const Dims strides = row_major_strides(x->dims());
  const int64_t run = product(x->dims(), slice_at, x->rank());
  const int64_t tuples = index_tensor->element_count() / depth;
  const int64_t tuples_per_batch = tuples / product(x->dims(), 0, batches_at);
  const int64_t batch_step = product(x->dims(), batches_at, x->rank());
  const ElementCopier copier(*x, *out);
  for (int64_t i = 0; i < tuples; ++i) {
    int64_t from = i / tuples_per_batch * batch_step;
    for (int64_t j = 0; j < depth; ++j) {
      const size_t axis = batches_at + static_cast<size_t>(j);
      const int64_t given = indices[static_cast<size_t>(i * depth + j)];
      EDGEWRIGHT_ASSIGN(const int64_t index, checked_index(call, given, x->dim(axis)));
      from += index * strides[axis];
    }
    copier.copy(i * run, from, run);
  }
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Gather", gather},
    {"", "GatherElements", gather_elements},
    {"", "GatherND", gather_nd},
};

}  // namespace

std::span<const ReferenceKernel> gather_reference_kernels() { return kKernels; }

}  // namespace edgewright
