#include "kernels/reference/random.h"

#include <cmath>

namespace edgewright::reference {

double RandomSource::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double x = 0;
  double y = 0;
  double radius = 0;
  do {
    x = 2 * uniform() - 1;
    y = 2 * uniform() - 1;
    radius = x * x + y * y;
  } while (radius >= 1 || radius == 0);
  const double factor = std::sqrt(-2 * std::log(radius) / radius);
  has_spare_ = true;
  spare_ = factor * x;
  return factor * y;
}

}  // namespace edgewright::reference
