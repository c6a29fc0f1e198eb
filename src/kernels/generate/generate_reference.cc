// Tensors made from shapes, bounds and indices: Constant, ConstantOfShape, Range, EyeLike, OneHot
// and the triangles of Trilu.
#include <algorithm>
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/elements.h"
#include "kernels/reference/types.h"

namespace edgewright {
namespace {

using namespace reference;

Tensor string_list(std::vector<std::string> values) {
  const auto count = static_cast<int64_t>(values.size());
  return Tensor::strings({count}, std::move(values));
}

Status constant(OpCall& call) {
  const Attributes& attributes = *call.attributes;
  if (const Tensor* value = attributes.get_tensor("value")) {
    call.set_output(0, *value);
  } else if (attributes.contains("value_float")) {
    call.set_output(0, Tensor::scalar(attributes.get_float("value_float", 0)));
  } else if (attributes.contains("value_int")) {
    call.set_output(0, Tensor::scalar(attributes.get_int("value_int", 0)));
  } else if (attributes.contains("value_string")) {
    call.set_output(0, Tensor::strings({}, {attributes.get_string("value_string", "")}));
  } else if (attributes.contains("value_floats")) {
    const std::vector<float> values = attributes.get_floats("value_floats");
    call.set_output(0, Tensor::of<float>({std::ssize(values)}, values));
  } else if (attributes.contains("value_ints")) {
    const std::vector<int64_t> values = attributes.get_ints("value_ints");
    call.set_output(0, Tensor::of<int64_t>({std::ssize(values)}, values));
  } else if (attributes.contains("value_strings")) {
    call.set_output(0, string_list(attributes.get_strings("value_strings")));
  } else {
    return unsupported("Constant without a dense value");
  }
  return {};
}

Status constant_of_shape(OpCall& call) {
  EDGEWRIGHT_ASSIGN(Dims dims, int64s(call, 0));
  const Tensor zero = Tensor::scalar(0.0f);
  const Tensor* value = call.attributes->get_tensor("value");
  if (value == nullptr) value = &zero;
  if (value->element_count() != 1) {
    return bad_input("ConstantOfShape: a value of shape {}, expected one element",
                     dims_text(value->dims()));
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, value->dtype(), std::move(dims)));
  fill(*out, *value);
  return {};
}

// Elements from start (inclusive) to limit (exclusive), at most as many as memory may hold.
Result<int64_t> range_count(double start, double limit, double delta) {
  if (delta == 0 || !std::isfinite(delta) || !std::isfinite(start) || !std::isfinite(limit)) {
    return bad_input("Range: from {} to {} in steps of {} has no finite length", start, limit,
                     delta);
  }
  const double count = std::ceil((limit - start) / delta);
  if (count >= static_cast<double>(kMaxTensorBytes)) {
    return bad_input("Range: from {} to {} in steps of {} is too long", start, limit, delta);
  }
  return count > 0 ? static_cast<int64_t>(count) : 0;
}

template <class T>
Result<int64_t> range_count_of(T start, T limit, T delta) {
  if constexpr (kIsFloat<T>) {
    return range_count(static_cast<double>(widen(start)), static_cast<double>(widen(limit)),
                       static_cast<double>(widen(delta)));
  } else {
    if (delta == 0) return range_count(0, 0, 0);
    // In 128 bits the distance of two int64 is exact.
    const __int128 distance = static_cast<__int128>(limit) - start;
    const __int128 step = delta;
    if (distance == 0 || (distance < 0) != (step < 0)) return int64_t{0};
    const __int128 count = (distance + step + (step > 0 ? -1 : 1)) / step;
    if (count > kMaxTensorBytes) return range_count(0, 1e300, 1);
    return static_cast<int64_t>(count);
  }
}

Status range(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* start, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* limit, call.tensor(1));
  EDGEWRIGHT_ASSIGN(const Tensor* delta, call.tensor(2));
  for (const Tensor* bound : {start, limit, delta}) {
    EDGEWRIGHT_TRY(same_type(call, *start, *bound));
    if (bound->element_count() != 1) {
      return bad_input("Range: a bound of shape {}, expected a scalar", dims_text(bound->dims()));
    }
  }
  using Types = decltype(join(Floats(), TypeList<int16_t, int32_t, int64_t>()));
  return dispatch<Types>(call, start->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    const T first = *start->data<T>();
    const T step = *delta->data<T>();
    EDGEWRIGHT_ASSIGN(const int64_t count, range_count_of(first, *limit->data<T>(), step));
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, start->dtype(), {count}));
    T* to = out->mutable_data<T>();
    for (int64_t i = 0; i < count; ++i) {
      to[i] = static_cast<T>(widen(first) + static_cast<Compute<T>>(i) * widen(step));
    }
    return {};
  });
}

Status eye_like(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* like, call.tensor(0));
  if (like->rank() != 2) {
    return bad_input("EyeLike: shape {}, expected a matrix", dims_text(like->dims()));
  }
  const auto dtype =
      static_cast<DType>(call.attributes->get_int("dtype", static_cast<int64_t>(like->dtype())));
  const int64_t k = call.attributes->get_int("k", 0);
  const auto fill_diagonal = [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, dtype, like->dims()));
    T* to = out->mutable_data<T>();
    const int64_t columns = like->dim(1);
    std::fill_n(to, out->element_count(), T(0));
    if (columns == 0 || k >= columns || k <= -like->dim(0)) return {};
    for (int64_t row = std::max<int64_t>(0, -k); row < like->dim(0) && row + k < columns; ++row) {
      to[row * columns + row + k] = T(1);
    }
    return {};
  };
  if (dtype == DType::kBool) return fill_diagonal(std::type_identity<uint8_t>());
  return dispatch<Numbers>(call, dtype, fill_diagonal);
}

Result<int64_t> one_hot_depth(const OpCall& call) {
  EDGEWRIGHT_ASSIGN(const double depth, double_scalar(call, 1));
  if (!(depth >= 1 && depth < static_cast<double>(kMaxTensorBytes))) {
    return bad_input("OneHot: a depth of {}", depth);
  }
  return static_cast<int64_t>(depth);
}

// Values [off, on]; an index outside [-depth, depth) gives only off.
Status one_hot(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* indices, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const int64_t depth, one_hot_depth(call));
  EDGEWRIGHT_ASSIGN(const Tensor* values, call.tensor(2));
  if (values->rank() != 1 || values->element_count() != 2) {
    return bad_input("OneHot: values of shape {}, expected [off, on]", dims_text(values->dims()));
  }
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", -1), indices->rank() + 1));
  Dims dims = indices->dims();
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), depth);
  EDGEWRIGHT_ASSIGN(const std::vector<double> found, indices->to_doubles());
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, values->dtype(), dims));
  const ElementCopier copier(*values, *out);
  copier.copy_strided(0, 0, out->element_count(), 0);
  const AxisSplit split = split_at(dims, axis);
  for (int64_t i = 0; i < split.outer; ++i) {
    for (int64_t j = 0; j < split.inner; ++j) {
      const double index = found[static_cast<size_t>(i * split.inner + j)];
      if (!(index >= -static_cast<double>(depth) && index < static_cast<double>(depth))) continue;
      auto step = static_cast<int64_t>(std::floor(index));
      if (step < 0) step += depth;
      copier.copy((i * depth + step) * split.inner + j, 1, 1);
    }
  }
  return {};
}

// Row by row: what lies on the wrong side of diagonal k becomes zero (an empty string).
Status trilu(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_TRY(expect_rank_at_least(call, *x, 2));
  EDGEWRIGHT_ASSIGN(const int64_t given, int64_scalar(call, 1, 0));
  const bool upper = call.attributes->get_int("upper", 1) != 0;
  const int64_t rows = x->dim(x->rank() - 2);
  const int64_t columns = x->dims().back();
  // Beyond the corners k changes nothing more, and sums with it cannot overflow.
  const int64_t k = std::clamp(given, -rows - 1, columns + 1);
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), x->dims()));
  EDGEWRIGHT_ASSIGN(const Tensor* zero, call.make_scratch(x->dtype(), {1}));
  const ElementCopier keep(*x, *out);
  const ElementCopier clear(*zero, *out);
  if (x->element_count() == 0) return {};
  for (int64_t i = 0; i < x->element_count() / columns; ++i) {
    const int64_t row = i % rows;
    // Columns before `edge` are below the diagonal for "upper", kept for "lower".
    const int64_t edge = std::clamp<int64_t>(row + k + (upper ? 0 : 1), 0, columns);
    const int64_t at = i * columns;
    if (upper) {
      clear.copy_strided(at, 0, edge, 0);
      keep.copy(at + edge, at + edge, columns - edge);
    } else {
      keep.copy(at, at, edge);
      clear.copy_strided(at + edge, 0, columns - edge, 0);
    }
  }
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Constant", constant}, {"", "ConstantOfShape", constant_of_shape},
    {"", "Range", range},       {"", "EyeLike", eye_like},
    {"", "OneHot", one_hot},    {"", "Trilu", trilu},
};

}  // namespace

std::span<const ReferenceKernel> generate_reference_kernels() { return kKernels; }

}  // namespace edgewright
