// ScatterElements (and Scatter, its old name), ScatterND and TensorScatter: elements written at
// places that index tensors give.
#include <algorithm>
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/elements.h"
#include "kernels/reference/elementwise.h"

namespace edgewright {
namespace {

using namespace reference;

enum class Combine : uint8_t { kReplace, kAdd, kMul, kMin, kMax };

Result<Combine> combine_of(const OpCall& call) {
  const std::string name = call.attributes->get_string("reduction", "none");
  if (name == "none") return Combine::kReplace;
  if (name == "add") return Combine::kAdd;
  if (name == "mul") return Combine::kMul;
  if (name == "min") return Combine::kMin;
  if (name == "max") return Combine::kMax;
  return bad_input("{}: reduction \"{}\" is none of none, add, mul, min, max", call.op, name);
}

template <class T>
T combined(Combine combine, T old, T update) {
  using C = Compute<T>;
  const C a = widen(old);
  const C b = widen(update);
  switch (combine) {
    case Combine::kAdd: return static_cast<T>(wrapping_add<C>(a, b));
    case Combine::kMul: return static_cast<T>(wrapping_mul<C>(a, b));
    case Combine::kMin: return b < a || b != b ? update : old;
    case Combine::kMax: return b > a || b != b ? update : old;
    default: return update;
  }
}

// Output 0, first a copy of the data; then runs of updates go to places in it, in order.
class Scatter {
 public:
  // run(to, from, count): update elements [from, from + count) go to [to, to + count).
  using Run = FunctionRef<void(int64_t to, int64_t from, int64_t count)>;

  static Status run(OpCall& call, const Tensor& data, const Tensor& updates, Combine combine,
                    FunctionRef<Status(Run)> each_run) {
    EDGEWRIGHT_TRY(same_type(call, data, updates));
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, data.dtype(), data.dims()));
    ElementCopier(data, *out).copy(0, 0, data.element_count());
    if (combine == Combine::kReplace) {
      const ElementCopier copier(updates, *out);
      return each_run(
          [&](int64_t to, int64_t from, int64_t count) { copier.copy(to, from, count); });
    }
    const auto typed = [&]<class T>(std::type_identity<T>) {
      T* target = out->mutable_data<T>();
      const T* source = updates.data<T>();
      return each_run([&](int64_t to, int64_t from, int64_t count) {
        for (int64_t i = 0; i < count; ++i) {
          target[to + i] = combined(combine, target[to + i], source[from + i]);
        }
      });
    };
    return dispatch<Numbers>(call, data.dtype(), typed);
  }
};

Status scatter_elements(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* data, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* indices, call.tensor(1));
  EDGEWRIGHT_ASSIGN(const Tensor* updates, call.tensor(2));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", 0), data->rank()));
  EDGEWRIGHT_ASSIGN(const Combine combine, combine_of(call));
  const Dims& dims = indices->dims();
  bool fits = dims.size() == data->rank() && dims == updates->dims();
  for (size_t i = 0; fits && i < dims.size(); ++i) fits = i == axis || dims[i] <= data->dim(i);
  if (!fits) {
    return bad_input("{}: indices of shape {} and updates of shape {} for data of shape {}",
                     call.op, dims_text(dims), dims_text(updates->dims()), dims_text(data->dims()));
  }
  EDGEWRIGHT_ASSIGN(std::vector<int64_t> places, indices->to_int64s());
  for (int64_t& place : places) {
    EDGEWRIGHT_ASSIGN(place, checked_index(call, place, data->dim(axis)));
  }
  Dims strides = row_major_strides(data->dims());
  const int64_t step = strides[axis];
  strides[axis] = 0;
  const StridedWalk walk(dims, {strides});
  return Scatter::run(call, *data, *updates, combine, [&](Scatter::Run run) -> Status {
    int64_t from = 0;
    walk.for_each_row([&](const int64_t* offsets, int64_t count) {
      for (int64_t i = 0; i < count; ++i, ++from) {
        const int64_t place = places[static_cast<size_t>(from)];
        run(offsets[0] + i * walk.inner_stride(0) + place * step, from, 1);
      }
    });
    return {};
  });
}

Status check_scatter_nd(const Tensor& data, const Tensor& indices, const Tensor& updates) {
  const Dims& dims = indices.dims();
  if (!dims.empty() && dims.back() >= 1 && dims.back() <= static_cast<int64_t>(data.rank())) {
    Dims expected(dims.begin(), dims.end() - 1);
    expected.insert(expected.end(), data.dims().begin() + dims.back(), data.dims().end());
    if (updates.dims() == expected) return {};
  }
  return bad_input("ScatterND: indices of shape {} and updates of shape {} for data of shape {}",
                   dims_text(dims), dims_text(updates.dims()), dims_text(data.dims()));
}

Status scatter_nd(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* data, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* indices, call.tensor(1));
  EDGEWRIGHT_ASSIGN(const Tensor* updates, call.tensor(2));
  EDGEWRIGHT_ASSIGN(const Combine combine, combine_of(call));
  EDGEWRIGHT_TRY(check_scatter_nd(*data, *indices, *updates));
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> given, indices->to_int64s());
  const Dims strides = row_major_strides(data->dims());
  const auto depth = static_cast<size_t>(indices->dims().back());
  const int64_t count = product(data->dims(), depth, data->rank());
  return Scatter::run(call, *data, *updates, combine, [&](Scatter::Run run) -> Status {
    for (size_t i = 0; i < given.size() / depth; ++i) {
      int64_t to = 0;
      for (size_t axis = 0; axis < depth; ++axis) {
        EDGEWRIGHT_ASSIGN(const int64_t index,
                          checked_index(call, given[i * depth + axis], data->dim(axis)));
        to += index * strides[axis];
      }
      if (count > 0) run(to, static_cast<int64_t>(i) * count, count);
    }
    return {};
  });
}

// Where each sample of the batch starts to write along the axis.
Result<std::vector<int64_t>> write_indices(const OpCall& call, int64_t batch) {
  EDGEWRIGHT_ASSIGN(auto given, optional_int64s(call, 2));
  if (!given) return std::vector<int64_t>(static_cast<size_t>(batch), 0);
  if (std::ssize(*given) != batch) {
    return bad_input("TensorScatter: {} write indices for a batch of {}", given->size(), batch);
  }
  return *std::move(given);
}

Status tensor_scatter(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* cache, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* update, call.tensor(1));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", -2), cache->rank()));
  const std::string mode = call.attributes->get_string("mode", "linear");
  Dims expected = cache->dims();
  if (update->rank() == cache->rank()) expected[axis] = std::min(update->dim(axis), expected[axis]);
  if (axis == 0 || update->dims() != expected || (mode != "linear" && mode != "circular")) {
    return bad_input("TensorScatter: an update of shape {} for a cache of shape {}, axis {}, {}",
                     dims_text(update->dims()), dims_text(cache->dims()), axis, mode);
  }
  EDGEWRIGHT_ASSIGN(const auto starts, write_indices(call, cache->dim(0)));
  const int64_t length = cache->dim(axis);
  const int64_t steps = update->dim(axis);
  for (const int64_t start : starts) {
    if (start < 0 || (mode == "linear" && start > length - steps)) {
      return bad_input("TensorScatter: {} steps written at {} of {}", steps, start, length);
    }
  }
  const AxisSplit split = split_at(update->dims(), axis);
  const int64_t rows_per_batch = split.outer / std::max<int64_t>(1, cache->dim(0));
  return Scatter::run(call, *cache, *update, Combine::kReplace, [&](Scatter::Run run) -> Status {
    for (int64_t i = 0; i < split.outer; ++i) {
      const int64_t start = starts[static_cast<size_t>(i / rows_per_batch)] % length;
      for (int64_t step = 0; step < steps; ++step) {
        run((i * length + (start + step) % length) * split.inner, (i * steps + step) * split.inner,
            split.inner);
      }
    }
    return {};
  });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Scatter", scatter_elements},
    {"", "ScatterElements", scatter_elements},
    {"", "ScatterND", scatter_nd},
    {"", "TensorScatter", tensor_scatter},
};

}  // namespace

std::span<const ReferenceKernel> scatter_reference_kernels() { return kKernels; }

}  // namespace edgewright
