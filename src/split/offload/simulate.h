#pragma once

#include <string>
#include <vector>

#include "device/link_trace.h"
#include "split/offload/policy.h"

namespace edgewright {

// One kind of request and its ways: all on the device, all on the server, or cut; the last two also
// with the device working on the rest beside the server, and the first answer counts.
struct OffloadWorkload {
  double local_ms = 150;  // all of it on the device
  double head_ms = 40;    // the device's part of a cut
  double input_bytes = 60000, cut_bytes = 15000;
  double answer_bytes = 0;              // back from the server, where there is a downlink
  double server_ms = 15, tail_ms = 10;  // all of it, or the rest, on an idle server
  double round_trip_ms = 50;
  // The answer of the server is waited for this long; then the device does the rest itself.
  double patience_ms = 200;
  double device_power_mw = 3000, radio_power_mw = 1500;
  OffloadWeights weights;
};

enum OffloadWay : uint8_t { kLocal, kRemote, kSplit, kRacedRemote, kRacedSplit };
inline constexpr size_t kOffloadWays = 5;
// 1; the expected transfer times, both ways, from the link's rate in the last half second and tenth
// of a second; of a race what of that the device's rest does not outlast.
inline constexpr size_t kOffloadFeatures = 3;

// What a request sees and what each way would have cost it.
struct OffloadStep {
  OffloadContext context;
  std::vector<double> costs;
};

// Requests at even intervals on a recorded link. The context holds the rates of the last half and
// tenth of a second, as a modem knows them. `slowdowns`: (from step, factor) of the server's times,
// unknown to the policy.
struct OffloadScenario {
  OffloadWorkload workload;
  size_t steps = 2000;
  double interval_ms = 400;
  std::vector<std::pair<size_t, double>> slowdowns;
  uint64_t seed = 0;
};
// `downlink`: of the answers, or null where they are small.
std::vector<OffloadStep> steps_on_trace(const LinkTrace& uplink, const OffloadScenario& scenario,
                                        const LinkTrace* downlink = nullptr);
// On a generated link: the rate's logarithm is an autoregressive process.
std::vector<OffloadStep> generated_steps(const OffloadScenario& scenario, double mean_mbit_s,
                                         double log_deviation, double correlation);

struct OffloadResult {
  std::string policy;
  double mean_cost = 0, oracle_cost = 0;  // per step, after the first `warm_up`
  double regret_share = 0;                // mean_cost / oracle_cost - 1
  std::vector<size_t> chosen;             // how often each way, all steps
};
// The oracle knows what every way would have cost, step by step.
OffloadResult run_policy(const std::vector<OffloadStep>& steps, OffloadPolicy& policy,
                         size_t warm_up);

}  // namespace edgewright
