#pragma once

#include "kernels/kernel.h"

namespace edgewright {

// A row-major copy of a tensor that lies at `data` as `spec` says.
Result<Tensor> plain_copy(const TensorSpec& spec, const void* data);

}  // namespace edgewright
