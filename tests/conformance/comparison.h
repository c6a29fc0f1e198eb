#pragma once

#include <string>

#include "tensor/datum.h"

namespace edgewright {

// How far a number may be off: |found - expected| <= absolute + relative * |expected|.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

// What differs between two values, with the place; empty when they agree. Element types, shapes,
// integers, strings and booleans must be equal, a NaN equals a NaN. With `shapes_only` elements are
// not looked at.
std::string difference(const Datum& found, const Datum& expected, Tolerance tolerance,
                       bool shapes_only);

}  // namespace edgewright
