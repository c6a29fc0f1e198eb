// Walking over strided and broadcast operands without recursion.
#pragma once

#include <span>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "tensor/tensor.h"

namespace edgewright::reference {

// Strides in elements of a dense row-major array.
Dims row_major_strides(std::span<const int64_t> dims);
// Product of dims[first, last); the whole has been checked before.
int64_t product(std::span<const int64_t> dims, size_t first, size_t last);
inline int64_t product(std::span<const int64_t> dims) { return product(dims, 0, dims.size()); }

// Several operands that are walked together over one shape: operand i moves by strides(i)[axis]
// elements for each step along an axis (0: broadcast, negative: backwards).
class StridedWalk {
 public:
  StridedWalk(Dims dims, std::vector<Dims> strides);

  // row(offsets, count): offsets[i] is where the row starts in operand i, whose elements are
  // inner_stride(i) apart. Rows come in row-major order; axes that need no step of their own are
  // merged, so rows are as long as possible. No rows when a dimension is zero.
  void for_each_row(FunctionRef<void(const int64_t* offsets, int64_t count)> row) const;
  int64_t inner_stride(size_t operand) const { return strides_[operand].back(); }

 private:
  void merge_axes();
  Dims dims_;  // at least one axis
  std::vector<Dims> strides_;
};

// NumPy broadcasting of any number of operands: shapes align at their ends; a dimension of 1 (or a
// missing one) repeats.
class BroadcastPlan {
 public:
  // kBadInput naming both shapes when they do not broadcast.
  static Result<BroadcastPlan> make(std::span<const Tensor* const> operands);
  static Result<BroadcastPlan> make(std::initializer_list<const Tensor*> operands) {
    return make(std::span(operands.begin(), operands.size()));
  }

  const Dims& dims() const { return dims_; }
  // row(out, offsets, count): elements [out, out + count) of the dense result come from operand i
  // at offsets[i] + k * inner_stride(i), where inner_stride is 0 or 1.
  void for_each_row(
      FunctionRef<void(int64_t out, const int64_t* offsets, int64_t count)> row) const;
  int64_t inner_stride(size_t operand) const { return walk_.inner_stride(operand); }

 private:
  BroadcastPlan(Dims dims, StridedWalk walk) : dims_(std::move(dims)), walk_(std::move(walk)) {}
  Dims dims_;
  StridedWalk walk_;
};

Result<Dims> broadcast_dims(std::span<const int64_t> a, std::span<const int64_t> b);
// Strides of an operand of shape `from` walked over the shape `to` that it broadcasts to.
Dims broadcast_strides(std::span<const int64_t> from, std::span<const int64_t> to);

// out[...] = f(x[...]) for one operand, f(a, b) for two, over raw arrays.
template <class X, class R, class F>
void map_elements(const X* x, R* out, int64_t count, F f) {
  for (int64_t i = 0; i < count; ++i) out[i] = f(x[i]);
}
template <class A, class B, class R, class F>
void map_broadcast(const BroadcastPlan& plan, const A* a, const B* b, R* out, F f) {
  const int64_t step_a = plan.inner_stride(0);
  const int64_t step_b = plan.inner_stride(1);
  plan.for_each_row([&](int64_t at, const int64_t* offsets, int64_t count) {
    const A* x = a + offsets[0];
    const B* y = b + offsets[1];
    R* to = out + at;
    for (int64_t i = 0; i < count; ++i) to[i] = f(x[i * step_a], y[i * step_b]);
  });
}

}  // namespace edgewright::reference
