#pragma once

#include "kernels/implementation.h"

namespace edgewright {

// Products with a constant right side, packed in advance, and with both sides computed.
ImplementationFunctions matmul_packed();
ImplementationFunctions matmul_dynamic();
ImplementationFunctions matmul_onednn();  // where the library was found; constant right side
ImplementationFunctions matmul_onednn_bfloat16();  // products="bfloat16" where the CPU has them

}  // namespace edgewright
