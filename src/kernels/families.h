#pragma once

#include <span>

#include "kernels/kernel.h"

namespace edgewright {

// One reference table per family folder.
std::span<const ReferenceKernel> arithmetic_reference_kernels();
std::span<const ReferenceKernel> shape_reference_kernels();

// One implementation table per family that has tuned kernels, expected best first.
std::span<const KernelImplementation> copy_implementations();
std::span<const KernelImplementation> conv_implementations();
std::span<const KernelImplementation> matmul_implementations();
std::span<const KernelImplementation> elementwise_implementations();
std::span<const KernelImplementation> reorder_implementations();
std::span<const KernelImplementation> softmax_implementations();
std::span<const KernelImplementation> normalization_implementations();
std::span<const KernelImplementation> pool_implementations();

}  // namespace edgewright
