#pragma once

#include "kernels/kernel.h"

namespace edgewright {

// Kernels of operators that shared libraries brought: null when none did. The registry asks here
// last, so that no library changes what an operator of ours means.
const ReferenceKernel* find_custom_reference(std::string_view domain, std::string_view op);
const KernelImplementation* find_custom_implementation(std::string_view domain,
                                                       std::string_view op);
const KernelImplementation* find_custom_implementation(std::string_view name);

}  // namespace edgewright
