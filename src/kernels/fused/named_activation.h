#pragma once

#include <string_view>

#include "base/result.h"
#include "tensor/attributes.h"
#include "tensor/tensor.h"

namespace edgewright {

// One activation by its name in kernels/epilogue.h, by reference kernels; alpha and beta are its
// parameters where it takes any.
Result<Tensor> activate(const Tensor& x, std::string_view name, const Attributes& parameters);

}  // namespace edgewright
