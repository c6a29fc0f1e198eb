#include "llm/difficulty.h"

#include <algorithm>
#include <cmath>

namespace edgewright {

double entropy_of(std::span<const float> logits) {
  if (logits.empty()) return 0;
  const float highest = *std::ranges::max_element(logits);
  double sum = 0, weighted = 0;
  for (const float logit : logits) {
    const float below = logit - highest;
    // Far below the best nothing is left to add, and exp() is most of the cost.
    if (below < -30) continue;
    const double share = std::exp(below);
    sum += share;
    weighted += share * below;
  }
  return std::log(sum) - weighted / sum;
}

void Difficulty::see(std::span<const float> logits) {
  constexpr double kWeight = 0.5, kLeaveAbove = 1.5;
  const double entropy = entropy_of(logits);
  mean_ = mean_ < 0 ? entropy : mean_ + kWeight * (entropy - mean_);
  easy_ = mean_ < (easy_ ? kLeaveAbove * easy_below_ : easy_below_);
}

}  // namespace edgewright
