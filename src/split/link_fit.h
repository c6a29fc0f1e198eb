#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace edgewright {

// Times of exchanges of two sizes, in microseconds.
struct TwoSizes {
  double small_bytes = 0, large_bytes = 0;
  std::vector<double> small_us, large_us;
};

// A figure and where 95 of 100 repetitions of the measurement would put it.
struct Interval {
  double value = 0, low = 0, high = 0;
};
struct LinkFit {
  Interval mbit_s;    // 10^6 bits a second; high is infinite when the sizes take the same time
  Interval fixed_us;  // of an exchange of no bytes
};

// time = fixed + bytes x 8 / rate through the medians of both sizes; the intervals are those of a
// percentile bootstrap (Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter
// 13). kUsage when there are fewer than three times of a size or the sizes do not differ.
Result<LinkFit> fit_link(const TwoSizes& times, uint64_t seed);

}  // namespace edgewright
