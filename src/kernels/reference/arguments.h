// Reading and checking what a reference kernel is given.
#pragma once

#include <optional>
#include <vector>

#include "kernels/kernel.h"

namespace edgewright::reference {

// An axis in [-rank, rank) as one in [0, rank); kBadInput outside. A scalar has no axis.
Result<size_t> checked_axis(const OpCall& call, int64_t axis, size_t rank);
// The same with [-rank, rank] for Flatten, Unsqueeze and their kind: the end counts as an axis.
Result<size_t> checked_axis_or_end(const OpCall& call, int64_t axis, size_t rank);
// Axes without repetition, in the given order.
Result<std::vector<size_t>> checked_axes(const OpCall& call, std::span<const int64_t> axes,
                                         size_t rank);
// An index in [-size, size) as one in [0, size); kBadInput outside.
Result<int64_t> checked_index(const OpCall& call, int64_t index, int64_t size);

// A shape seen along one axis: `outer` blocks of `size` steps of `inner` elements each.
struct AxisSplit {
  int64_t outer = 1;
  int64_t size = 1;
  int64_t inner = 1;
};
// `axis` may be the rank: size and inner are 1 then. All are zero where the shape has no elements,
// so that loops over them end.
AxisSplit split_at(std::span<const int64_t> dims, size_t axis);

// The integers of input i (a tensor of rank 0 or 1), nothing when it is omitted.
Result<std::optional<std::vector<int64_t>>> optional_int64s(const OpCall& call, size_t i);
Result<std::vector<int64_t>> int64s(const OpCall& call, size_t i);
// The one element of input i; `otherwise` when the input is omitted.
Result<int64_t> int64_scalar(const OpCall& call, size_t i, std::optional<int64_t> otherwise = {});
Result<double> double_scalar(const OpCall& call, size_t i, std::optional<double> otherwise = {});

// kBadInput unless both tensors have the same element type.
Status same_type(const OpCall& call, const Tensor& a, const Tensor& b);
Status expect_rank_at_least(const OpCall& call, const Tensor& tensor, size_t rank);
Status expect_type(const OpCall& call, const Tensor& tensor, DType dtype);

}  // namespace edgewright::reference
