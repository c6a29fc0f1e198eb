#pragma once

#include <span>
#include <string_view>

#include "quantize/histogram.h"
#include "quantize/scheme.h"

namespace edgewright {

struct CalibratorOptions {
  double percentile = 99.99;  // of the numbers that stay within the range, both sides together
};

// A way to choose the range of a tensor from what was seen of it.
struct Calibrator {
  std::string_view name;
  std::string_view summary;
  ValueRange (*range)(const Histogram& seen, const Scheme& scheme,
                      const CalibratorOptions& options);
};

// min-max, moving-average, percentile, entropy, mse; in this order.
std::span<const Calibrator> calibrators();
// Null when there is none of this name.
const Calibrator* find_calibrator(std::string_view name);

// The squared error that rounding to `params` makes on what was seen, summed.
double squared_error(const Histogram& seen, const QuantParams& params);

}  // namespace edgewright
