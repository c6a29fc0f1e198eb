#include "kernels/reference/walk.h"

#include <algorithm>

namespace edgewright::reference {

Dims row_major_strides(std::span<const int64_t> dims) {
  Dims strides(dims.size());
  // Unsigned: beside a zero dimension the others may multiply beyond any bound.
  uint64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = static_cast<int64_t>(stride);
    stride *= static_cast<uint64_t>(std::max<int64_t>(dims[i], 1));
  }
  return strides;
}

int64_t product(std::span<const int64_t> dims, size_t first, size_t last) {
  // Unsigned for the same reason.
  uint64_t count = 1;
  for (size_t i = first; i < last; ++i) count *= static_cast<uint64_t>(dims[i]);
  return static_cast<int64_t>(count);
}

StridedWalk::StridedWalk(Dims dims, std::vector<Dims> strides)
    : dims_(std::move(dims)), strides_(std::move(strides)) {
  merge_axes();
}

// An axis joins its inner neighbour when every operand steps over the whole neighbour at once.
void StridedWalk::merge_axes() {
  if (std::find(dims_.begin(), dims_.end(), 0) != dims_.end()) {
    dims_ = {0};
    for (Dims& operand : strides_) operand = {0};
    return;
  }
  Dims dims;
  std::vector<Dims> strides(strides_.size());
  for (size_t axis = dims_.size(); axis-- > 0;) {
    if (dims_[axis] == 1) continue;
    bool merges = !dims.empty();
    for (size_t i = 0; merges && i < strides_.size(); ++i) {
      merges = strides_[i][axis] == strides[i].back() * dims.back();
    }
    if (merges) {
      dims.back() *= dims_[axis];
      continue;
    }
    dims.push_back(dims_[axis]);
    for (size_t i = 0; i < strides_.size(); ++i) strides[i].push_back(strides_[i][axis]);
  }
  if (dims.empty()) {
    dims.push_back(1);
    for (Dims& operand : strides) operand.push_back(0);
  }
  std::reverse(dims.begin(), dims.end());
  for (Dims& operand : strides) std::reverse(operand.begin(), operand.end());
  dims_ = std::move(dims);
  strides_ = std::move(strides);
}

void StridedWalk::for_each_row(FunctionRef<void(const int64_t* offsets, int64_t count)> row) const {
  if (dims_.back() == 0) return;
  const size_t outer = dims_.size() - 1;
  Dims position(outer, 0);
  Dims offsets(strides_.size(), 0);
  for (;;) {
    row(offsets.data(), dims_.back());
    size_t axis = outer;
    for (; axis > 0; --axis) {
      const size_t at = axis - 1;
      const bool carries = ++position[at] == dims_[at];
      const int64_t steps = carries ? 1 - dims_[at] : 1;
      for (size_t i = 0; i < offsets.size(); ++i) offsets[i] += steps * strides_[i][at];
      if (!carries) break;
      position[at] = 0;
    }
    if (axis == 0) return;
  }
}

Result<Dims> broadcast_dims(std::span<const int64_t> a, std::span<const int64_t> b) {
  const size_t rank = std::max(a.size(), b.size());
  Dims dims(rank);
  for (size_t i = 1; i <= rank; ++i) {
    const int64_t x = i <= a.size() ? a[a.size() - i] : 1;
    const int64_t y = i <= b.size() ? b[b.size() - i] : 1;
    if (x != y && x != 1 && y != 1) {
      return bad_input("shapes {} and {} do not broadcast", dims_text(a), dims_text(b));
    }
    dims[rank - i] = x == 1 ? y : x;
  }
  return dims;
}

Dims broadcast_strides(std::span<const int64_t> from, std::span<const int64_t> to) {
  const Dims dense = row_major_strides(from);
  Dims strides(to.size(), 0);
  for (size_t i = 1; i <= from.size(); ++i) {
    if (from[from.size() - i] != 1) strides[to.size() - i] = dense[from.size() - i];
  }
  return strides;
}

Result<BroadcastPlan> BroadcastPlan::make(std::span<const Tensor* const> operands) {
  Dims dims;
  for (const Tensor* operand : operands) {
    EDGEWRIGHT_ASSIGN(dims, broadcast_dims(dims, operand->dims()));
  }
  EDGEWRIGHT_TRY(checked_element_count(dims));
  std::vector<Dims> strides;
  for (const Tensor* operand : operands) {
    strides.push_back(broadcast_strides(operand->dims(), dims));
  }
  StridedWalk walk(dims, std::move(strides));
  return BroadcastPlan(std::move(dims), std::move(walk));
}

void BroadcastPlan::for_each_row(
    FunctionRef<void(int64_t out, const int64_t* offsets, int64_t count)> row) const {
  int64_t out = 0;
  walk_.for_each_row([&](const int64_t* offsets, int64_t count) {
    row(out, offsets, count);
    out += count;
  });
}

}  // namespace edgewright::reference
