#pragma once

#include "base/function_ref.h"

namespace edgewright {

// Calls the function once per instruction set that this CPU has and kernels are compiled for, with
// kernels restricted to it meanwhile. For tests; not thread safe.
void for_each_target(FunctionRef<void(const char* name)> function);

}  // namespace edgewright
