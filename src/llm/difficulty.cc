#include "llm/difficulty.h"

#include <cmath>
#include <vector>

#include "kernels/language/rows.h"
#include "llm/sampler.h"

namespace edgewright {

double entropy_of(std::span<const float> logits) {
  if (logits.empty()) return 0;
  const float highest = largest_of(logits);
  std::vector<float> weights(logits.size());
  const double sum =
      language::exponentials(logits.data(), highest, 1, logits.size(), weights.data());
  double weighted = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    // What has no weight may be infinitely far below.
    if (weights[i] > 0) weighted += static_cast<double>(weights[i] * (logits[i] - highest));
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
