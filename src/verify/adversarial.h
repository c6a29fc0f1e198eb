#pragma once

#include <cstdint>
#include <vector>

#include "verify/compare.h"

namespace edgewright {

struct AdversarialOptions {
  int rounds = 32;       // inferences of each side
  double radius = 0.05;  // largest change of an element, in standard deviations of its input
  uint64_t seed = 0;
};

// Looks near a sample for the input on which the two sides differ most, without gradients: random
// sign patterns within the radius, each kept when the largest relative L2 error of an output grows
// (a random search as in Guo et al. 2019, "Simple black-box adversarial attacks"). Only
// float32 inputs are changed. Returns the largest error found and where it was.
struct AdversarialResult {
  double relative_l2 = 0;
  std::vector<Datum> inputs;
};
Result<AdversarialResult> search_adversarial(Subject& reference, Subject& candidate,
                                             const std::vector<Datum>& sample,
                                             const AdversarialOptions& options);

// Directional derivatives of all outputs along random directions of the float32 inputs, by central
// differences (f(x + h d) - f(x - h d)) / (2 h) with |d| of one standard deviation a element and h
// = 1e-2. Their difference is gathered over `directions` directions and the outputs.
Result<Difference> compare_derivatives(Subject& reference, Subject& candidate,
                                       const std::vector<Datum>& sample, int directions,
                                       uint64_t seed);

}  // namespace edgewright
