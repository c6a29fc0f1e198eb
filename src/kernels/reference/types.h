// Element types in reference kernels: from the DType of a call to a C++ type, once per call.
#pragma once

#include <complex>
#include <concepts>
#include <type_traits>

#include "kernels/kernel.h"
#include "tensor/half.h"

namespace edgewright::reference {

template <class... T>
struct TypeList {};

template <class... A, class... B>
TypeList<A..., B...> join(TypeList<A...>, TypeList<B...>);

using Floats = TypeList<float, double, Half, Bfloat16>;
using SignedInts = TypeList<int8_t, int16_t, int32_t, int64_t>;
using UnsignedInts = TypeList<uint8_t, uint16_t, uint32_t, uint64_t>;
using Ints = decltype(join(SignedInts(), UnsignedInts()));
using Numbers = decltype(join(Floats(), Ints()));
using NumbersAndBool = decltype(join(Numbers(), TypeList<bool>()));

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, Half> || std::is_same_v<T, Bfloat16>;
template <class T>
inline constexpr bool kIsFloat = std::is_floating_point_v<T> || kIsHalf<T>;

// The type in which elements of T are computed: 16-bit floats as float, all others as themselves.
template <class T>
using Compute = std::conditional_t<kIsHalf<T>, float, T>;

template <class T>
Compute<T> widen(T value) {
  return static_cast<Compute<T>>(value);
}

inline Error no_such_type(const OpCall& call, DType dtype) {
  return unsupported("{} has no reference kernel for elements of type {}", call.op,
                     dtype_name(dtype));
}

// Calls f(std::type_identity<T>()) for the T of the list that `dtype` means; f returns Status or
// void. Other types are kUnsupported.
//   return dispatch<Floats>(call, x->dtype(), [&]<class T>(std::type_identity<T>) { ... });
template <class List, class F>
Status dispatch(const OpCall& call, DType dtype, F&& f) {
  return [&]<class... T>(TypeList<T...>) -> Status {
    Status status = no_such_type(call, dtype);
    const auto attempt = [&]<class U>(std::type_identity<U> type) {
      if (kDTypeOf<U> != dtype) return false;
      if constexpr (std::is_void_v<decltype(f(type))>) {
        f(type);
        status = Status();
      } else {
        status = f(type);
      }
      return true;
    };
    (attempt(std::type_identity<T>()) || ...);
    return status;
  }(List());
}

}  // namespace edgewright::reference
