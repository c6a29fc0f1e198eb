#pragma once

#include <cmath>

#include "kernels/reference/operand.h"

namespace edgewright::reference {

// The values of an integer type of 2 to 32 bits.
struct IntegerRange {
  double low = 0;
  double high = 0;
};
IntegerRange integer_range(DType dtype);

// x / scale or x * scale, rounded to the nearest even integer, moved by the zero point and held in
// the range. NaN becomes the zero point.
inline double requantized(double scaled, double zero_point, const IntegerRange& range) {
  const double whole = std::isnan(scaled) ? 0 : std::nearbyint(scaled);
  return std::min(std::max(whole + zero_point, range.low), range.high);
}

// x - zero point as int64, the zero point per tensor or per index of an axis.
// `zero_point` is null for zero; else it has 1 element or as many as `axis` of x.
Result<const int64_t*> centred(OpCall& call, const Operand<int64_t>& x,
                               const Operand<int64_t>& zero_point, size_t axis);

}  // namespace edgewright::reference
