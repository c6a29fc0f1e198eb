#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace edgewright {

// How many queries have to run before a percentile may be claimed, by the rule of MLPerf LoadGen
// (inference_rules, "early stopping"): with `over` queries above the claimed latency, the fewest
// queries below it so that chance explains the result with at most 1 - confidence.
// d widens the percentile by what LoadGen tolerates (0 for it).
struct PercentileClaim {
  double percentile = 0.99;
  double confidence = 0.99;
  double tolerance = 0;
};
// The number of queries within the latency that are needed beside `over` above it.
int64_t required_within(const PercentileClaim& claim, int64_t over);
// All of them: within and over.
int64_t required_queries(const PercentileClaim& claim, int64_t over);

// The largest number of queries that may lie above the claimed latency among `queries`, or
// kCheckFailed saying how many queries are needed when even none above would not do.
Result<int64_t> allowed_over(const PercentileClaim& claim, int64_t queries);

// The latency that sorted samples let one claim for a percentile (LoadGen's rule as above); NaN
// where they are too few for any.
double claimed_latency(const std::vector<double>& sorted, double percentile);

}  // namespace edgewright
