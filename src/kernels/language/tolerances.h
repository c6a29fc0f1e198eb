#pragma once

#include "kernels/tolerance.h"

namespace edgewright::language {

// Products with packed weights: sums of a few thousand products in another order.
inline constexpr KernelTolerance kLinearTolerance = {"linear", 1e-5, 5e-6};
// Weights and inputs rounded to bf16, by 2^-9 of each.
inline constexpr KernelTolerance kBf16LinearTolerance = {"linear in bf16", 1e-2, 1e-2};
// Inputs rounded to int8, by 1/254 of the largest of 32 each.
inline constexpr KernelTolerance kInt8InputTolerance = {"linear of int8 inputs", 1e-2, 1e-2};

}  // namespace edgewright::language
