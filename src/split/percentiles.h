#pragma once

#include <random>
#include <span>
#include <vector>

#include "device/link.h"
#include "device/link_trace.h"
#include "split/problem.h"

namespace edgewright {

// States that a link may be in when a request comes, all equally likely.
class LinkScenarios {
 public:
  // Sampled from the link's own variation.
  LinkScenarios(const Link& link, size_t count, uint64_t seed);
  // Starting points in a recorded uplink, spread evenly over it; all else as the link's mean.
  LinkScenarios(const Link& link, LinkTrace uplink, size_t count);

  size_t count() const { return states_.size(); }
  const LinkState& state(size_t scenario) const { return states_[scenario]; }
  // Sending, the round trip and the results' way back.
  double hop_us(size_t scenario, double sent_bytes, double result_bytes) const;

 private:
  std::vector<LinkState> states_;
  LinkTrace uplink_;
  std::vector<double> starts_ms_;  // in uplink_; empty: there is none
};

struct LatencySpread {
  double mean_us = 0, p50_us = 0, p90_us = 0, p95_us = 0, p99_us = 0;
};
// The smallest value that at least a share of all do not exceed.
double percentile_us(std::span<const double> sorted_us, double share);
LatencySpread spread_of(std::vector<double> latencies_us);

// The latency of a placement in every scenario of the first hop; other hops as in the problem.
std::vector<double> scenario_latencies_us(const SplitProblem& problem, const Placement& placement,
                                          const LinkScenarios& scenarios);

// The placement with the least percentile (share, e.g. 0.95) of latency, among those that are best
// for one of the states between the worst and the best, and `others`.
Result<Placement> best_at_percentile(const SplitProblem& problem, const LinkScenarios& scenarios,
                                     double share, const std::vector<Placement>& others);

// A hop with the link's mean rates and round trip.
SplitHop hop_of(const Link& link);
SplitHop hop_of(const LinkState& state, const Link& link);

}  // namespace edgewright
