#pragma once

#include <optional>

#include "tensor/tensor.h"

namespace edgewright {

// A float32 tensor as float16, where a file that stores weights in half stores it so: it has some
// size (shifts, scales and limits stay as they are) and every number lies in float16's range.
std::optional<Tensor> as_half_weights(const Tensor& tensor);

}  // namespace edgewright
