#pragma once

#include <vector>

#include "base/progress.h"
#include "profile/time_model.h"

namespace edgewright {

struct SweepOptions {
  size_t first = 0, count = 2000;  // which shapes of the endless sequence
  double seconds = 60;             // ends earlier when this is over
  int threads = 1;
  Progress progress;
};

// Times made-up layers with the quickest of our kernels: of every eight, three convolutions, one
// depthwise, three matrix products of different forms and one other (attention, normalisation,
// element-wise, pooling, layout). Shape i is always the same; sizes are drawn evenly on a
// logarithmic scale over what networks for edge devices have.
Result<std::vector<TimeSample>> sweep_layers(const Roofline& roofline, const SweepOptions& options);

}  // namespace edgewright
