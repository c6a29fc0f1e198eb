#pragma once

#include <string>
#include <vector>

#include "split/problem.h"

namespace edgewright {

// Where the best cut changes as the first hop's bandwidth grows.
struct BandwidthCrossing {
  double mbit_per_s = 0;
  std::string from, to;  // cut names below and above
};

// Of the first hop, in either direction of thought: 1 Mbit/s moves a byte in 8 us.
double us_per_byte_at(double mbit_per_s);
double mbit_per_s_of(double us_per_byte);

// All crossings between two bandwidths of the first hop, everything else as in the problem. The
// least latency is concave and piecewise linear in the time per byte, so a crossing is where two
// lines meet that are both optimal there (Eisner and Severance, JACM 1976); exact, with two minimum
// cuts a crossing. Changes that leave the cut's name as it is are left out.
Result<std::vector<BandwidthCrossing>> bandwidth_crossings(const SplitProblem& problem,
                                                           double low_mbit_per_s,
                                                           double high_mbit_per_s);

// The best cut at every pair of a bandwidth and a fixed latency of the first hop.
struct CutMap {
  std::vector<double> mbit_per_s, latency_us;
  std::vector<std::vector<std::string>> cuts;  // [latency][bandwidth]
  std::vector<std::vector<double>> total_us;   // the same order
};
Result<CutMap> cut_map(const SplitProblem& problem, std::vector<double> mbit_per_s,
                       std::vector<double> latency_us);

}  // namespace edgewright
