#pragma once

#include "kernels/kernel.h"

namespace edgewright {

// Whether this is a Concat or a Split whose parts lie end to end in memory: parts that were placed
// in the whole need no copy, and the kernel makes none.
bool is_end_to_end(const KernelRequest& request);

}  // namespace edgewright
