#pragma once

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

}  // namespace edgewright
