#pragma once

#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace edgewright::oip {

// The Open Inference Protocol's name of an element type ("FP32", "BYTES" for strings); empty for a
// type that the protocol does not have.
std::string_view datatype_name(DType dtype);
std::optional<DType> datatype_from_name(std::string_view name);

}  // namespace edgewright::oip
