#include "kernels/reference/arguments.h"

#include <algorithm>

namespace edgewright::reference {

Result<size_t> checked_axis(const OpCall& call, int64_t axis, size_t rank) {
  const auto limit = static_cast<int64_t>(rank);
  if (axis < -limit || axis >= limit) {
    return bad_input("{}: axis {} is outside a tensor of rank {}", call.op, axis, rank);
  }
  return static_cast<size_t>(axis < 0 ? axis + limit : axis);
}

Result<size_t> checked_axis_or_end(const OpCall& call, int64_t axis, size_t rank) {
  const auto limit = static_cast<int64_t>(rank);
  if (axis < -limit || axis > limit) {
    return bad_input("{}: axis {} is outside a tensor of rank {}", call.op, axis, rank);
  }
  return static_cast<size_t>(axis < 0 ? axis + limit : axis);
}

Result<std::vector<size_t>> checked_axes(const OpCall& call, std::span<const int64_t> axes,
                                         size_t rank) {
  std::vector<size_t> checked;
  std::vector<bool> seen(rank, false);
  for (const int64_t axis : axes) {
    EDGEWRIGHT_ASSIGN(const size_t found, checked_axis(call, axis, rank));
    if (seen[found]) return bad_input("{}: axis {} is given twice", call.op, axis);
    seen[found] = true;
    checked.push_back(found);
  }
  return checked;
}

Result<int64_t> checked_index(const OpCall& call, int64_t index, int64_t size) {
  if (index < -size || index >= size) {
    return bad_input("{}: index {} is outside a dimension of {}", call.op, index, size);
  }
  return index < 0 ? index + size : index;
}

AxisSplit split_at(std::span<const int64_t> dims, size_t axis) {
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) return {0, 0, 0};
  AxisSplit split;
  for (size_t i = 0; i < dims.size(); ++i) {
    (i < axis ? split.outer : i == axis ? split.size : split.inner) *= dims[i];
  }
  return split;
}

Result<std::optional<std::vector<int64_t>>> optional_int64s(const OpCall& call, size_t i) {
  if (!call.has_input(i)) return std::optional<std::vector<int64_t>>();
  EDGEWRIGHT_ASSIGN(auto values, int64s(call, i));
  return std::optional(std::move(values));
}

Result<std::vector<int64_t>> int64s(const OpCall& call, size_t i) {
  EDGEWRIGHT_ASSIGN(const Tensor* tensor, call.tensor(i));
  if (tensor->rank() > 1) {
    return bad_input("{}: input {} has shape {}, expected a list of integers", call.op, i,
                     dims_text(tensor->dims()));
  }
  return tensor->to_int64s();
}

Result<int64_t> int64_scalar(const OpCall& call, size_t i, std::optional<int64_t> otherwise) {
  if (!call.has_input(i) && otherwise) return *otherwise;
  EDGEWRIGHT_ASSIGN(const Tensor* tensor, call.tensor(i));
  if (tensor->element_count() != 1) {
    return bad_input("{}: input {} has shape {}, expected one integer", call.op, i,
                     dims_text(tensor->dims()));
  }
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> values, tensor->to_int64s());
  return values[0];
}

Result<double> double_scalar(const OpCall& call, size_t i, std::optional<double> otherwise) {
  if (!call.has_input(i) && otherwise) return *otherwise;
  EDGEWRIGHT_ASSIGN(const Tensor* tensor, call.tensor(i));
  if (tensor->element_count() != 1) {
    return bad_input("{}: input {} has shape {}, expected one number", call.op, i,
                     dims_text(tensor->dims()));
  }
  EDGEWRIGHT_ASSIGN(const std::vector<double> values, tensor->to_doubles());
  return values[0];
}

Status same_type(const OpCall& call, const Tensor& a, const Tensor& b) {
  if (a.dtype() == b.dtype()) return {};
  return bad_input("{}: element types {} and {} differ", call.op, dtype_name(a.dtype()),
                   dtype_name(b.dtype()));
}

Status expect_rank_at_least(const OpCall& call, const Tensor& tensor, size_t rank) {
  if (tensor.rank() >= rank) return {};
  return bad_input("{}: shape {} has rank {}, expected at least {}", call.op,
                   dims_text(tensor.dims()), tensor.rank(), rank);
}

Status expect_type(const OpCall& call, const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return {};
  return bad_input("{}: found elements of type {}, expected {}", call.op,
                   dtype_name(tensor.dtype()), dtype_name(dtype));
}

}  // namespace edgewright::reference
