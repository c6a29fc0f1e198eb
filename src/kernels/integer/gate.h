#pragma once

#include "kernels/epilogue.h"

namespace edgewright {

// GELU is x times a gate that goes from 0 to 1: a polynomial of degree 4 on each of 16 equal parts
// of [-range, range], constant beyond. Off by at most 3e-6, which is far less than a unit of the
// bytes that it is used for.
struct Gate {
  static constexpr int kParts = 16;
  static constexpr int kCoefficients = 5;
  float range = 0;
  // Of u = position within the part - 1/2, the highest power first.
  alignas(64) float coefficients[kCoefficients][kParts];
};

// Null for activations that are no such product.
const Gate* find_gate(Activation activation);

}  // namespace edgewright
