#pragma once

#include "kernels/kernel.h"

namespace edgewright {

using Created = Result<std::unique_ptr<PreparedKernel>>;
using PackedBytes = std::span<const std::byte>;

// The functions of one row of an implementation table, so that a family's table can name kernels
// that live in files of their own.
struct ImplementationFunctions {
  bool (*supports)(const KernelRequest& request);
  Result<Tensor> (*pack)(const KernelRequest& request);
  Created (*create)(const KernelRequest& request, PackedBytes packed);
};
inline KernelImplementation implementation(std::string_view name, std::string_view domain,
                                           std::string_view op,
                                           const ImplementationFunctions& functions) {
  return {name, domain, op, functions.supports, functions.pack, functions.create};
}

// All inputs and outputs that are there are float32.
inline bool is_float32(const KernelRequest& request) {
  for (const auto* specs : {&request.inputs, &request.outputs}) {
    for (const TensorSpec& spec : *specs) {
      if (spec.dtype != DType::kFloat32 && spec.dtype != DType::kUndefined) return false;
    }
  }
  return !request.inputs.empty() && !request.outputs.empty();
}
// All of them have plain layout.
inline bool is_plain(const KernelRequest& request) {
  for (const auto* specs : {&request.inputs, &request.outputs}) {
    for (const TensorSpec& spec : *specs) {
      if (spec.layout != Layout::kPlain) return false;
    }
  }
  return true;
}
inline bool has_input(const KernelRequest& request, size_t i) {
  return i < request.inputs.size() && request.inputs[i].dtype != DType::kUndefined;
}

}  // namespace edgewright
