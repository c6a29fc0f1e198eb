// Softmax, LogSoftmax and Hardmax along one axis.
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/types.h"

namespace edgewright {
namespace {

using namespace reference;

// Calls line(x, y, size, step) for every line of input and output along the axis attribute.
template <class Line>
Status for_each_line(OpCall& call, Line line) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  // A scalar is one line of one element.
  const size_t rank = std::max<size_t>(x->rank(), 1);
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", -1), rank));
  const AxisSplit split = split_at(x->dims(), axis);
  return dispatch<Floats>(call, x->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), x->dims()));
    for (int64_t i = 0; i < split.outer; ++i) {
      for (int64_t j = 0; j < split.inner; ++j) {
        const int64_t at = i * split.size * split.inner + j;
        line(x->data<T>() + at, out->mutable_data<T>() + at, split.size, split.inner);
      }
    }
    return {};
  });
}

template <class T>
Compute<T> largest_of(const T* x, int64_t size, int64_t step) {
  Compute<T> largest = widen(x[0]);
  for (int64_t i = 1; i < size; ++i) largest = std::max(largest, widen(x[i * step]));
  return largest;
}

// The sum of exponentials, taken relative to the largest element so that none overflows.
template <class T>
Compute<T> exponential_sum(const T* x, int64_t size, int64_t step, Compute<T> largest) {
  Compute<T> sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += std::exp(widen(x[i * step]) - largest);
  return sum;
}

Status softmax(OpCall& call) {
  return for_each_line(call, []<class T>(const T* x, T* y, int64_t size, int64_t step) {
    const auto largest = largest_of(x, size, step);
    const auto sum = exponential_sum(x, size, step, largest);
    for (int64_t i = 0; i < size; ++i) {
      y[i * step] = static_cast<T>(std::exp(widen(x[i * step]) - largest) / sum);
    }
  });
}

Status log_softmax(OpCall& call) {
  return for_each_line(call, []<class T>(const T* x, T* y, int64_t size, int64_t step) {
    const auto largest = largest_of(x, size, step);
    const auto offset = std::log(exponential_sum(x, size, step, largest));
    for (int64_t i = 0; i < size; ++i) {
      y[i * step] = static_cast<T>(widen(x[i * step]) - largest - offset);
    }
  });
}

// One at the first largest element, zero elsewhere.
Status hardmax(OpCall& call) {
  return for_each_line(call, []<class T>(const T* x, T* y, int64_t size, int64_t step) {
    int64_t first = 0;
    for (int64_t i = 1; i < size; ++i) {
      if (widen(x[i * step]) > widen(x[first * step])) first = i;
    }
    for (int64_t i = 0; i < size; ++i) y[i * step] = static_cast<T>(i == first ? 1.0f : 0.0f);
  });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Softmax", softmax},
    {"", "LogSoftmax", log_softmax},
    {"", "Hardmax", hardmax},
};

}  // namespace

std::span<const ReferenceKernel> softmax_reference_kernels() { return kKernels; }

}  // namespace edgewright
