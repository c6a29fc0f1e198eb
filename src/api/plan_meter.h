#pragma once

#include "edgewright/session.h"
#include "quantize/runner.h"

namespace edgewright {

// Measures graphs as plans of the native engine on this machine, on seeded inputs.
class PlanMeter : public LatencyMeter {
 public:
  // Of the options only threads, tune and timing_cache count. `seconds`: for all graphs of a call
  // together, at least three runs each.
  PlanMeter(InferenceOptions options, double seconds)
      : options_(std::move(options)), seconds_(seconds) {}
  Result<std::vector<Latency>> measure(std::span<const Graph* const> graphs) override;

 private:
  InferenceOptions options_;
  double seconds_;
};

}  // namespace edgewright
