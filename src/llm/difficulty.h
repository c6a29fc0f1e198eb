#pragma once

#include <span>

namespace edgewright {

// Entropy in nats of the distribution that logits stand for.
double entropy_of(std::span<const float> logits);

// Whether the next tokens of an answer are easy to foresee, so that weights of fewer bits will do
// for them: by the smoothed entropy of its last distributions, with hysteresis.
class Difficulty {
 public:
  explicit Difficulty(double easy_below) : easy_below_(easy_below) {}
  void see(std::span<const float> logits);
  bool easy() const { return easy_; }

 private:
  double easy_below_, mean_ = -1;
  bool easy_ = false;
};

}  // namespace edgewright
