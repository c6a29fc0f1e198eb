#pragma once

#include "kernels/implementation.h"

namespace edgewright {

// Products with a constant right side, packed in advance, and with both sides computed.
ImplementationFunctions matmul_packed();
ImplementationFunctions matmul_dynamic();
// Constant right sides most of which is zero: compressed rows, and two of every four along K.
ImplementationFunctions matmul_sparse();
ImplementationFunctions matmul_two_of_four();
ImplementationFunctions matmul_bfloat16();  // products="bfloat16" where the CPU has AMX
ImplementationFunctions matmul_onednn();    // where the library was found; constant right side
ImplementationFunctions matmul_onednn_bfloat16();  // products="bfloat16" where the CPU has them

}  // namespace edgewright
