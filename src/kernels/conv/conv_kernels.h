#pragma once

#include "kernels/implementation.h"

namespace edgewright {

// The implementations of edgewright::Conv2d; conv.cc lists them.
ImplementationFunctions conv_direct();

}  // namespace edgewright
