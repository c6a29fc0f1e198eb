// Element-wise operators: one loop each, with NumPy broadcasting for two operands.
#pragma once

#include "kernels/reference/arguments.h"
#include "kernels/reference/types.h"
#include "kernels/reference/walk.h"

namespace edgewright::reference {

// Output 0 = op(input 0), element by element and of the same type; op takes and returns Compute<T>.
template <class Types, class Op>
Status unary_elementwise(OpCall& call, Op op) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  return dispatch<Types>(call, x->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), x->dims()));
    map_elements(x->data<T>(), out->mutable_data<T>(), x->element_count(),
                 [&](T value) { return static_cast<T>(op(widen(value))); });
    return {};
  });
}

// Output 0 = op(input 0, input 1), all of one type; op takes and returns Compute<T>.
template <class Types, class Op>
Status binary_elementwise(OpCall& call, Op op) {
  EDGEWRIGHT_ASSIGN(const Tensor* a, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* b, call.tensor(1));
  EDGEWRIGHT_TRY(same_type(call, *a, *b));
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make({a, b}));
  return dispatch<Types>(call, a->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, a->dtype(), plan.dims()));
    map_broadcast(plan, a->data<T>(), b->data<T>(), out->mutable_data<T>(),
                  [&](T x, T y) { return static_cast<T>(op(widen(x), widen(y))); });
    return {};
  });
}

// Output 0 (bool) = op(input 0, input 1); op takes Compute<T>.
template <class Types, class Op>
Status compare_elementwise(OpCall& call, Op op) {
  EDGEWRIGHT_ASSIGN(const Tensor* a, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* b, call.tensor(1));
  EDGEWRIGHT_TRY(same_type(call, *a, *b));
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make({a, b}));
  return dispatch<Types>(call, a->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kBool, plan.dims()));
    map_broadcast(plan, a->data<T>(), b->data<T>(), out->mutable_data<uint8_t>(),
                  [&](T x, T y) { return static_cast<uint8_t>(op(widen(x), widen(y))); });
    return {};
  });
}

// Integer arithmetic that wraps, as two's complement does: the unsigned type to compute in.
template <class T>
using Wrapping = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
T wrapping_add(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  } else {
    return a + b;
  }
}
template <class T>
T wrapping_sub(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
  } else {
    return a - b;
  }
}
template <class T>
T wrapping_mul(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  } else {
    return a * b;
  }
}

}  // namespace edgewright::reference
