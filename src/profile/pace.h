#pragma once

#include <functional>
#include <span>
#include <vector>

#include "runtime/kernel_runner.h"

namespace edgewright {

// How quick the machine is at a moment. One that shares its cores with others becomes a third
// quicker or slower within seconds (seen: a factor of two in a minute), and everything with it:
// times of different moments are compared by the times of the same few layers at these moments.
class PaceMeter {
 public:
  // Sets the layers up; they are made-up ones of some 25 us each: convolutions, depthwise ones and
  // products, of floats and of bytes.
  static Result<PaceMeter> create();
  // The geometric mean of their times in microseconds, each the best of three runs; takes less than
  // a millisecond.
  double round_us();

 private:
  PaceMeter() = default;
  std::vector<std::vector<Tensor>> constants_;  // of the layers
  std::vector<KernelRunner> layers_;
};

// Of the paces around several moments, the slowest at which the machine counts as undisturbed: near
// the quickest tenth. A core whose other thread works is slow for a tenth of a second or for many
// (seen on machines that are shared: half as long again for all, up to four times for matrix
// units), which one number does not tell well enough to take it off.
double slowest_undisturbed_us(std::span<const double> paces);

// Waits for the machine to be quick.
class PaceWatch {
 public:
  // `quick_us`: what is known of the quickest; 0: what is seen here alone. Waits at most
  // `patience_us` in all.
  PaceWatch(std::function<double()> ask, double quick_us, double patience_us);
  // The pace now.
  double read_us();
  // The pace when the machine is quick, or when there is no patience left; `pace_us` is the one
  // now.
  double wait_us(double pace_us);
  double waited_us() const { return waited_us_; }

 private:
  std::function<double()> ask_;
  double quick_us_, patience_us_, waited_us_ = 0;
};

}  // namespace edgewright
