// Operators that choose elements by their values: ArgMax, ArgMin, TopK, NonZero and Compress.
#include <algorithm>
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/elements.h"
#include "kernels/reference/types.h"

namespace edgewright {
namespace {

using namespace reference;

template <class T>
bool is_nan(T value) {
  if constexpr (kIsFloat<T>) {
    return std::isnan(widen(value));
  } else {
    return false;
  }
}

// Whether a goes before b: a NaN counts as beyond every number on either side.
template <class T>
bool before(T a, T b, bool largest) {
  if (is_nan(a) || is_nan(b)) return is_nan(a) && !is_nan(b);
  return largest ? widen(a) > widen(b) : widen(a) < widen(b);
}

Status arg_extreme(OpCall& call, bool largest) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", 0), x->rank()));
  const bool last = call.attributes->get_int("select_last_index", 0) != 0;
  Dims dims = x->dims();
  dims[axis] = 1;
  if (call.attributes->get_int("keepdims", 1) == 0) {
    dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kInt64, dims));
  if (x->dim(axis) == 0 && out->element_count() > 0) {
    return bad_input("{}: axis {} of shape {} has no elements to choose from", call.op, axis,
                     dims_text(x->dims()));
  }
  const AxisSplit split = split_at(x->dims(), axis);
  return dispatch<Numbers>(call, x->dtype(), [&]<class T>(std::type_identity<T>) {
    for (int64_t i = 0; i < split.outer * split.inner; ++i) {
      const T* line = x->data<T>() + i / split.inner * split.size * split.inner + i % split.inner;
      int64_t best = 0;
      for (int64_t j = 1; j < split.size; ++j) {
        const T now = line[j * split.inner];
        const T then = line[best * split.inner];
        if (before(now, then, largest) || (last && !before(then, now, largest))) best = j;
      }
      out->mutable_data<int64_t>()[i] = best;
    }
  });
}

Status arg_max(OpCall& call) { return arg_extreme(call, true); }
Status arg_min(OpCall& call) { return arg_extreme(call, false); }

// The k first of a line in order; equal elements keep the order of their indices.
template <class T>
void top_of_line(const T* line, int64_t size, int64_t step, int64_t k, bool largest,
                 std::vector<int64_t>& order) {
  order.resize(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) order[static_cast<size_t>(i)] = i;
  std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
    const T x = line[a * step];
    const T y = line[b * step];
    if (before(x, y, largest)) return true;
    return !before(y, x, largest) && a < b;
  });
}

Status top_k(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const int64_t k, int64_scalar(call, 1));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", -1), x->rank()));
  const bool largest = call.attributes->get_int("largest", 1) != 0;
  if (k < 0 || k > x->dim(axis)) {
    return bad_input("TopK: {} elements of an axis of {}", k, x->dim(axis));
  }
  Dims dims = x->dims();
  dims[axis] = k;
  EDGEWRIGHT_ASSIGN(Tensor * indices, call.make_output(1, DType::kInt64, dims));
  int64_t* index = indices->mutable_data<int64_t>();
  return dispatch<Numbers>(call, x->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * values, call.make_output(0, x->dtype(), dims));
    const AxisSplit split = split_at(x->dims(), axis);
    std::vector<int64_t> order;
    for (int64_t i = 0; i < split.outer * split.inner; ++i) {
      const int64_t block = i / split.inner;
      const int64_t column = i % split.inner;
      const T* line = x->data<T>() + block * split.size * split.inner + column;
      top_of_line(line, split.size, split.inner, k, largest, order);
      for (int64_t j = 0; j < k; ++j) {
        const int64_t at = (block * k + j) * split.inner + column;
        index[at] = order[static_cast<size_t>(j)];
        values->mutable_data<T>()[at] = line[index[at] * split.inner];
      }
    }
    return {};
  });
}

// Whether each element counts as true: not zero, not the empty string.
Result<std::vector<bool>> truths(const OpCall& call, const Tensor& x) {
  const auto count = static_cast<size_t>(x.element_count());
  std::vector<bool> result(count);
  if (x.dtype() == DType::kString) {
    for (size_t i = 0; i < count; ++i) result[i] = !x.string_elements()[i].empty();
    return result;
  }
  if (x.dtype() == DType::kComplex64 || x.dtype() == DType::kComplex128) {
    const Dims parts = {x.element_count(), 2};
    const DType part = x.dtype() == DType::kComplex64 ? DType::kFloat32 : DType::kFloat64;
    const Tensor view = Tensor::view(part, parts, x.bytes(), nullptr);
    EDGEWRIGHT_ASSIGN(const std::vector<double> values, view.to_doubles());
    for (size_t i = 0; i < count; ++i) result[i] = values[2 * i] != 0 || values[2 * i + 1] != 0;
    return result;
  }
  if (dtype_bits(x.dtype()) < 8) return no_such_type(call, x.dtype());
  EDGEWRIGHT_ASSIGN(const std::vector<double> values, x.to_doubles());
  for (size_t i = 0; i < count; ++i) result[i] = values[i] != 0;
  return result;
}

// One column of indices for every true element, in row-major order.
Status non_zero(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const std::vector<bool> chosen, truths(call, *x));
  const auto rank = static_cast<int64_t>(x->rank());
  const int64_t count = std::count(chosen.begin(), chosen.end(), true);
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kInt64, {rank, count}));
  int64_t* to = out->mutable_data<int64_t>();
  int64_t column = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (!chosen[i]) continue;
    auto rest = static_cast<int64_t>(i);
    for (int64_t axis = rank; axis-- > 0;) {
      const int64_t dim = x->dim(static_cast<size_t>(axis));
      to[axis * count + column] = rest % dim;
      rest /= dim;
    }
    ++column;
  }
  return {};
}

// Slices along the axis (elements of the flattened input without one) whose condition holds.
Status compress(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* condition, call.tensor(1));
  EDGEWRIGHT_TRY(expect_type(call, *condition, DType::kBool));
  const bool flat = !call.attributes->contains("axis");
  const Dims dims = flat ? Dims{x->element_count()} : x->dims();
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", 0), dims.size()));
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < condition->element_count(); ++i) {
    if (condition->data<uint8_t>()[i] != 0) kept.push_back(i);
  }
  if (condition->rank() != 1 || (!kept.empty() && kept.back() >= dims[axis])) {
    return bad_input("Compress: a condition of shape {} for axis {} of shape {}",
                     dims_text(condition->dims()), axis, dims_text(dims));
  }
  Dims out_dims = dims;
  out_dims[axis] = std::ssize(kept);
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), out_dims));
  const AxisSplit split = split_at(dims, axis);
  const ElementCopier copier(*x, *out);
  int64_t to = 0;
  for (int64_t i = 0; i < split.outer; ++i) {
    for (const int64_t index : kept) {
      copier.copy(to, (i * split.size + index) * split.inner, split.inner);
      to += split.inner;
    }
  }
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "ArgMax", arg_max},   {"", "ArgMin", arg_min},    {"", "TopK", top_k},
    {"", "NonZero", non_zero}, {"", "Compress", compress},
};

}  // namespace

std::span<const ReferenceKernel> select_reference_kernels() { return kKernels; }

}  // namespace edgewright
