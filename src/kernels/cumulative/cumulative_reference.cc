// CumSum and CumProd: running sums and products along one axis.
#include "kernels/families.h"
#include "kernels/reference/elementwise.h"

namespace edgewright {
namespace {

using namespace reference;

using Types = decltype(join(Floats(), TypeList<int32_t, int64_t, uint32_t, uint64_t>()));

// One line: y[i] folds x up to i, or before i when exclusive.
template <class T, class Op>
void accumulate_line(const T* x, T* y, int64_t size, int64_t step, bool exclusive, Compute<T> first,
                     Op op) {
  Compute<T> running = first;
  for (int64_t i = 0; i < size; ++i) {
    const Compute<T> next = op(running, widen(x[i * step]));
    y[i * step] = static_cast<T>(exclusive ? running : next);
    running = next;
  }
}

template <class Op>
Status accumulate(OpCall& call, int first, Op op) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const int64_t axis_value, int64_scalar(call, 1));
  EDGEWRIGHT_ASSIGN(const size_t axis, checked_axis(call, axis_value, x->rank()));
  const bool exclusive = call.attributes->get_int("exclusive", 0) != 0;
  const bool reverse = call.attributes->get_int("reverse", 0) != 0;
  const AxisSplit split = split_at(x->dims(), axis);
  return dispatch<Types>(call, x->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), x->dims()));
    const int64_t start = reverse ? (split.size - 1) * split.inner : 0;
    const int64_t step = reverse ? -split.inner : split.inner;
    for (int64_t i = 0; i < split.outer; ++i) {
      for (int64_t j = 0; j < split.inner; ++j) {
        const int64_t at = i * split.size * split.inner + j + start;
        accumulate_line(x->data<T>() + at, out->mutable_data<T>() + at, split.size, step, exclusive,
                        static_cast<Compute<T>>(first), op);
      }
    }
    return {};
  });
}

Status cum_sum(OpCall& call) {
  return accumulate(call, 0, [](auto a, auto b) { return wrapping_add(a, b); });
}
Status cum_prod(OpCall& call) {
  return accumulate(call, 1, [](auto a, auto b) { return wrapping_mul(a, b); });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "CumSum", cum_sum},
    {"", "CumProd", cum_prod},
};

}  // namespace

std::span<const ReferenceKernel> cumulative_reference_kernels() { return kKernels; }

}  // namespace edgewright
