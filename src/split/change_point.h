#pragma once

namespace edgewright {

struct ChangePointOptions {
  // Deviations up to this are noise: of the natural logarithm of a ratio, so 0.15 is about 15 %.
  double slack = 0.15;
  // What deviations beyond the slack must add up to.
  double threshold = 0.6;
  // No single one counts for more, so that one lost packet is not yet another link.
  double largest = 0.45;
};

// Tells when times are no longer what they are expected to be: two cumulative sums of the logarithm
// of found / expected, one for slower and one for quicker (Page, "Continuous inspection schemes",
// Biometrika 41, 1954).
class ChangePoint {
 public:
  explicit ChangePoint(const ChangePointOptions& options = {}) : options_(options) {}

  // Both above 0, in the same unit. True when that makes a change certain enough; the sums then
  // begin again.
  bool observe(double found, double expected);
  void restart() { slower_ = quicker_ = 0; }

 private:
  ChangePointOptions options_;
  double slower_ = 0, quicker_ = 0;
};

}  // namespace edgewright
