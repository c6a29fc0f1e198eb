// Elements by size alone, for operators that move or choose them but never compute.
#pragma once

#include <string>

#include "kernels/reference/types.h"

namespace edgewright::reference {

struct Bits128 {
  uint64_t parts[2];
};

template <class T>
const T* storage(const Tensor& tensor) {
  if constexpr (std::is_same_v<T, std::string>) {
    return tensor.string_elements().data();
  } else {
    return tensor.data<T>();
  }
}
template <class T>
T* mutable_storage(Tensor& tensor) {
  if constexpr (std::is_same_v<T, std::string>) {
    return tensor.mutable_string_elements().data();
  } else {
    return tensor.mutable_data<T>();
  }
}

// Calls f(std::type_identity<T>()) with an unsigned integer, Bits128 or std::string as T, whose
// arrays storage<T>() gives; packed sub-byte types are kUnsupported. f returns Status.
template <class F>
Status dispatch_storage(const OpCall& call, DType dtype, F&& f) {
  if (dtype == DType::kString) return f(std::type_identity<std::string>());
  switch (dtype_bits(dtype)) {
    case 8: return f(std::type_identity<uint8_t>());
    case 16: return f(std::type_identity<uint16_t>());
    case 32: return f(std::type_identity<uint32_t>());
    case 64: return f(std::type_identity<uint64_t>());
    case 128: return f(std::type_identity<Bits128>());
    default: return no_such_type(call, dtype);
  }
}

}  // namespace edgewright::reference
