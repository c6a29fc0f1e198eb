#pragma once

#include "kernels/implementation.h"

namespace edgewright {

// The implementations of edgewright::Conv2d; conv.cc lists them.
ImplementationFunctions conv_direct();
ImplementationFunctions conv_winograd4();  // F(4x4, 3x3)
ImplementationFunctions conv_winograd2();  // F(2x2, 3x3)
ImplementationFunctions conv_depthwise();
ImplementationFunctions conv_sparse();           // weights most of which are zero
ImplementationFunctions conv_bfloat16();         // products="bfloat16" where the CPU has AMX
ImplementationFunctions conv_onednn();           // where the library was found
ImplementationFunctions conv_onednn_bfloat16();  // products="bfloat16" where the CPU has them

}  // namespace edgewright
