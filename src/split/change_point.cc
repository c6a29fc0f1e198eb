#include "split/change_point.h"

#include <algorithm>
#include <cmath>

namespace edgewright {

bool ChangePoint::observe(double found, double expected) {
  const double deviation = std::log(found / expected);
  const auto counted = [this](double value) {
    return std::min(options_.largest, value - options_.slack);
  };
  slower_ = std::max(0.0, slower_ + counted(deviation));
  quicker_ = std::max(0.0, quicker_ + counted(-deviation));
  if (std::max(slower_, quicker_) < options_.threshold) return false;
  restart();
  return true;
}

}  // namespace edgewright
