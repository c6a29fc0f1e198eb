// Unique elements, or unique slices along an axis.
#include <algorithm>
#include <cmath>
#include <complex>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/elements.h"
#include "kernels/reference/storage.h"

namespace edgewright {
namespace {

using namespace reference;

// -1, 0 or 1; a NaN equals itself and follows every number.
template <class T>
int compare(const T& a, const T& b) {
  if constexpr (kIsFloat<T>) {
    const bool nan_a = std::isnan(widen(a));
    const bool nan_b = std::isnan(widen(b));
    if (nan_a || nan_b) return nan_a - nan_b;
    return (widen(a) > widen(b)) - (widen(a) < widen(b));
  } else {
    return (a > b) - (a < b);
  }
}

// Slices of the input along the axis, compared as flattened lists. `parts` numbers make one element
// (2 for complex types).
template <class T>
class Slices {
 public:
  Slices(const T* data, AxisSplit split, int64_t parts)
      : data_(data), split_(split), inner_(split.inner * parts) {}

  int compare_slices(int64_t a, int64_t b) const {
    for (int64_t i = 0; i < split_.outer; ++i) {
      const T* x = data_ + (i * split_.size + a) * inner_;
      const T* y = data_ + (i * split_.size + b) * inner_;
      for (int64_t j = 0; j < inner_; ++j) {
        if (const int order = compare(x[j], y[j]); order != 0) return order;
      }
    }
    return 0;
  }

 private:
  const T* data_;
  AxisSplit split_;
  int64_t inner_;
};

struct Groups {
  std::vector<int64_t> first;    // per unique slice: where it occurs first
  std::vector<int64_t> inverse;  // per slice: which unique slice it is
  std::vector<int64_t> counts;
};

template <class T>
Groups group(const Slices<T>& slices, int64_t size, bool sorted) {
  std::vector<int64_t> order(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) order[static_cast<size_t>(i)] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return slices.compare_slices(a, b) < 0; });
  Groups found;
  found.inverse.resize(static_cast<size_t>(size));
  for (const int64_t slice : order) {
    if (found.first.empty() || slices.compare_slices(found.first.back(), slice) != 0) {
      found.first.push_back(slice);
      found.counts.push_back(0);
    }
    ++found.counts.back();
    found.inverse[static_cast<size_t>(slice)] = std::ssize(found.first) - 1;
  }
  if (sorted) return found;
  // In the order of first occurrence.
  std::vector<int64_t> rank(found.first.size());
  for (size_t i = 0; i < rank.size(); ++i) rank[i] = static_cast<int64_t>(i);
  std::sort(rank.begin(), rank.end(), [&](int64_t a, int64_t b) {
    return found.first[static_cast<size_t>(a)] < found.first[static_cast<size_t>(b)];
  });
  Groups ordered = found;
  std::vector<int64_t> place(rank.size());
  for (size_t i = 0; i < rank.size(); ++i) {
    const auto from = static_cast<size_t>(rank[i]);
    ordered.first[i] = found.first[from];
    ordered.counts[i] = found.counts[from];
    place[from] = static_cast<int64_t>(i);
  }
  for (int64_t& index : ordered.inverse) index = place[static_cast<size_t>(index)];
  return ordered;
}

Result<Groups> group_slices(const OpCall& call, const Tensor& x, AxisSplit split, bool sorted) {
  Groups groups;
  const auto run = [&]<class T>(const T* data, int64_t parts) {
    groups = group(Slices<T>(data, split, parts), split.size, sorted);
  };
  switch (x.dtype()) {
    case DType::kString: run(storage<std::string>(x), 1); return groups;
    case DType::kBool: run(x.data<uint8_t>(), 1); return groups;
    case DType::kComplex64: run(reinterpret_cast<const float*>(x.bytes()), 2); return groups;
    case DType::kComplex128: run(reinterpret_cast<const double*>(x.bytes()), 2); return groups;
    default: break;
  }
  EDGEWRIGHT_TRY(dispatch<Numbers>(call, x.dtype(),
                                   [&]<class T>(std::type_identity<T>) { run(x.data<T>(), 1); }));
  return groups;
}

Status give_list(OpCall& call, size_t output, const std::vector<int64_t>& values) {
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(output, DType::kInt64, {std::ssize(values)}));
  std::copy(values.begin(), values.end(), out->mutable_data<int64_t>());
  return {};
}

Status unique(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  const bool flat = !call.attributes->contains("axis");
  Dims dims = flat ? Dims{x->element_count()} : x->dims();
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", 0), dims.size()));
  if (x->element_count() == 0 && dims[axis] > 0) {
    return bad_input("Unique: slices of shape {} along axis {} are empty", dims_text(dims), axis);
  }
  const bool sorted = call.attributes->get_int("sorted", 1) != 0;
  const AxisSplit split = split_at(dims, axis);
  EDGEWRIGHT_ASSIGN(const Groups groups, group_slices(call, *x, split, sorted));
  dims[axis] = std::ssize(groups.first);
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), dims));
  const ElementCopier copier(*x, *out);
  int64_t to = 0;
  for (int64_t i = 0; i < split.outer; ++i) {
    for (const int64_t slice : groups.first) {
      copier.copy(to, (i * split.size + slice) * split.inner, split.inner);
      to += split.inner;
    }
  }
  const std::vector<int64_t>* const lists[] = {&groups.first, &groups.inverse, &groups.counts};
  for (size_t i = 0; i < 3; ++i) {
    if (call.wants_output(i + 1)) EDGEWRIGHT_TRY(give_list(call, i + 1, *lists[i]));
  }
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Unique", unique},
};

}  // namespace

std::span<const ReferenceKernel> unique_reference_kernels() { return kKernels; }

}  // namespace edgewright
