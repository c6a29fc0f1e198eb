#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/result.h"

namespace edgewright {

// Times of several things that are to be compared with each other, on a machine that changes its
// pace meanwhile: they run in turn, in short slices, round after round, so that each meets the same
// quick and slow moments.
class Turns {
 public:
  using Run = std::function<Status()>;

  // `slice_s`: how long each runs again and again in one round; twice at least, and the first does
  // not count, because it finds the caches full of what the others use.
  explicit Turns(double slice_s = 0.005) : slice_s_(slice_s) {}

  // Its place in `typical_us`.
  size_t add(Run run);
  // Rounds until each has run for so long, at least `least`. Every other round goes backwards, so
  // that a machine that slows down does so for all.
  Status run_rounds(double seconds_each, int least);
  // What one run of each takes, in microseconds, the quieter half of a slice counted, at the pace
  // of the middle round.
  std::vector<double> typical_us() const;

 private:
  Result<double> slice_us(const Run& run) const;

  double slice_s_ = 0;
  std::vector<Run> runs_;
  std::vector<std::vector<double>> rounds_;  // times in microseconds, as many as there were then
};

// What each column of a table of times is without what all of a row have in common, by median
// polish of the logarithms (Tukey, Exploratory Data Analysis, 1977): times are a thing's own times
// the pace of the round. What counts in the end is the quieter half of a column's rows, because a
// disturbance takes more of some than of others. Later rows may be longer: those columns have no
// earlier times. All times above zero; as many as the last row has.
std::vector<double> without_pace(std::span<const std::vector<double>> rounds);

}  // namespace edgewright
