#pragma once

#include <algorithm>
#include <string_view>

#include "kernels/kernel.h"

namespace edgewright::reference {

// Floating-point kernels compute in double for double and in float for every narrower type. What
// follows shows them their inputs and outputs in that type.

// An input seen as elements of T; `tensor` is null where the input is omitted.
template <class T>
struct Operand {
  const Tensor* tensor = nullptr;
  const T* data = nullptr;

  explicit operator bool() const { return tensor != nullptr; }
  const T& operator[](int64_t i) const { return data[i]; }
  const Dims& dims() const { return tensor->dims(); }
  int64_t dim(size_t axis) const { return tensor->dim(axis); }
  size_t rank() const { return tensor->rank(); }
  int64_t count() const { return tensor->element_count(); }
  DType dtype() const { return tensor->dtype(); }
};

// The elements of any numeric tensor as T (float, double, int32_t, int64_t): in place where type
// and alignment fit, else converted into scratch memory. Strings and complex types: kBadInput.
template <class T>
Result<const T*> read_as(OpCall& call, const Tensor& tensor);

template <class T>
Result<Operand<T>> operand(OpCall& call, size_t i) {
  EDGEWRIGHT_ASSIGN(const Tensor* tensor, call.tensor(i));
  EDGEWRIGHT_ASSIGN(const T* data, read_as<T>(call, *tensor));
  return Operand<T>{tensor, data};
}
template <class T>
Result<Operand<T>> optional_operand(OpCall& call, size_t i) {
  if (!call.has_input(i)) return Operand<T>();
  return operand<T>(call, i);
}
// The only element of input i; kBadInput when it has another number of elements.
template <class T>
Result<T> scalar_operand(OpCall& call, size_t i) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, i));
  if (x.count() != 1) {
    return bad_input("input {} of {} has shape {}, expected a single element", i, call.op,
                     dims_text(x.dims()));
  }
  return x[0];
}
template <class T>
Result<T> scalar_operand_or(OpCall& call, size_t i, T otherwise) {
  if (!call.has_input(i)) return otherwise;
  return scalar_operand<T>(call, i);
}

// Writes `value` as element `index`: floats round to nearest even, integers truncate towards zero
// and saturate (NaN becomes 0), bool is value != 0.
void store_double(DType dtype, void* data, int64_t index, double value);

// Converts `count` elements of T into the tensor's type, as store_double does.
template <class T>
void write_from(const T* source, Tensor& tensor);

// An output computed as T in `data`; finish() rounds it to the output's type.
template <class T>
struct Computed {
  Tensor* tensor = nullptr;
  T* data = nullptr;

  T& operator[](int64_t i) const { return data[i]; }
  int64_t count() const { return tensor->element_count(); }
  Status finish() const {
    if (tensor->dtype() != kDTypeOf<T>) write_from(data, *tensor);
    return {};
  }
};

// Output i of the given type, zero-filled while it is computed.
template <class T>
Result<Computed<T>> computed(OpCall& call, size_t i, DType dtype, Dims dims) {
  Computed<T> made;
  EDGEWRIGHT_ASSIGN(made.tensor, call.make_output(i, dtype, dims));
  if (dtype == kDTypeOf<T>) {
    made.data = made.tensor->template mutable_data<T>();
    std::fill_n(made.data, made.tensor->element_count(), T());
  } else {
    EDGEWRIGHT_ASSIGN(Tensor * scratch, call.make_scratch(kDTypeOf<T>, std::move(dims)));
    made.data = scratch->template mutable_data<T>();
  }
  return made;
}

// Zero-filled working memory of `count` elements.
template <class T>
Result<T*> scratch_array(OpCall& call, int64_t count) {
  EDGEWRIGHT_ASSIGN(Tensor * scratch, call.make_scratch(kDTypeOf<T>, {count}));
  return scratch->template mutable_data<T>();
}

// float16, bfloat16, float32 or float64.
bool is_real(DType dtype);

// A kernel of the four real types, chosen by input 0; others are kBadInput.
template <ReferenceFunction in_float, ReferenceFunction in_double>
Status real(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  if (!is_real(x->dtype())) {
    return bad_input("{} of {}, expected a real floating-point type", call.op,
                     dtype_name(x->dtype()));
  }
  return x->dtype() == DType::kFloat64 ? in_double(call) : in_float(call);
}

// ---- Checks ----

// `axis` in [0, rank), counted from the end where negative.
Result<size_t> axis_of(const OpCall& call, int64_t axis, size_t rank);
Status expect_rank(const OpCall& call, std::string_view what, const Tensor& tensor, size_t rank);
Status expect_dims(const OpCall& call, std::string_view what, const Tensor& tensor,
                   const Dims& dims);

// ---- Walking ----

// The product of dims[first, last); dims belong to an existing tensor, so it cannot overflow.
int64_t span_count(const Dims& dims, size_t first, size_t last);
inline int64_t span_count(const Dims& dims, size_t first) {
  return span_count(dims, first, dims.size());
}

// Steps `index` to the next position of `dims` in row-major order; false after the last.
bool next_index(std::span<const int64_t> dims, std::span<int64_t> index);

// An operand that broadcasts to a larger shape: element i of that shape is data[i % period].
template <class T>
struct Repeated {
  const T* data = nullptr;
  int64_t period = 1;
  T operator[](int64_t i) const { return data[i % period]; }
};
// Expands the operand only where its shape is not the end of `dims`; kBadInput when it does not
// broadcast to `dims`.
template <class T>
Result<Repeated<T>> repeated(OpCall& call, std::string_view what, const Operand<T>& operand,
                             const Dims& dims);

}  // namespace edgewright::reference
