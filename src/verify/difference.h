#pragma once

#include <limits>

#include "tensor/datum.h"

namespace edgewright {

// How far a candidate is from its reference, over all elements seen:
//   relative_l2 = ||c - r||_2 / ||r||_2   (0 when both are zero, infinity when only r is)
//   max_abs     = max |c - r|
//   cosine      = <c, r> / (||c||_2 ||r||_2)   (1 when both are zero)
// NaN in the same place, and equal infinities, count as equal; any other NaN or infinity makes
// relative_l2 and max_abs infinite and the cosine 0.
struct Difference {
  double relative_l2 = 0;
  double max_abs = 0;
  double cosine = 1;
};

// Gathers a difference over several pairs of tensors (samples).
class DifferenceGatherer {
 public:
  // kBadInput when type or shape differ. Strings, bools and integers count as numbers; a string
  // that differs counts as a NaN does.
  Status add(const Tensor& reference, const Tensor& candidate);
  // Sequences are compared element by element, maps by their keys and values in order.
  Status add(const Datum& reference, const Datum& candidate);
  Difference difference() const;

 private:
  void add_pair(double reference, double candidate);
  double squared_error_ = 0, squared_reference_ = 0, squared_candidate_ = 0, product_ = 0;
  double max_abs_ = 0;
  bool incomparable_ = false;
};

// What two results may differ by and still be the same function. A difference passes when its
// relative L2 norm or its largest absolute error is within bounds: outputs near zero have no
// meaningful relative error.
struct Tolerance {
  double relative_l2 = 1e-4;
  double max_abs = 1e-5;
  bool accepts(const Difference& difference) const {
    return difference.relative_l2 <= relative_l2 || difference.max_abs <= max_abs;
  }
};

}  // namespace edgewright
