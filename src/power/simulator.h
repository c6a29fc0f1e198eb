#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "power/policy.h"
#include "power/workload.h"

namespace edgewright {

struct AmbientStep {
  double from_s = 0, celsius = 25;
};

struct SimulationOptions {
  double horizon_s = 3600;
  std::vector<AmbientStep> ambient = {{0, 25}};
  double start_c = 25;      // of the whole device
  double control_s = 0.01;  // between decisions, and of a thermal step
  double deadline_s = 0;    // of a request after its arrival; 0: none
  int max_batch = 1;
  double batch_wait_s = 0;  // a request may wait this long for others before work begins
  double battery_j = 0;     // 0: fed from outside
  double sample_s = 10;     // of the series of results
};

struct SimulationSample {
  double time_s = 0, tokens_per_s = 0, power_w = 0, skin_c = 0, die_c = 0, ambient_c = 0;
  std::string setting;
};
struct ThrottleEvent {
  double time_s = 0;
  std::string cause;
};
struct EnergyByComponent {
  std::vector<double> clusters_j;  // busy
  double waiting_j = 0;            // cores that wait with their clock stopped
  double waking_j = 0;             // falling asleep and waking up
  double switching_j = 0;          // changes of the setting
  double memory_j = 0, platform_j = 0;
  double total_j() const;
};
// The share of the time that a cluster spent at an operating point with cores at work.
struct Residency {
  std::string cluster;
  int64_t frequency_khz = 0;
  double share = 0;
};

struct SimulationResult {
  std::string policy;
  double simulated_s = 0;
  int64_t requests = 0, tokens = 0;  // finished requests; output tokens
  EnergyByComponent energy;
  std::vector<double> latency_s, first_token_s;  // sorted, one a finished request
  double sustained_tokens_per_s = 0;             // the least of any minute that was busy throughout
  double burst_tokens_per_s = 0;                 // the most of any minute
  double peak_die_c = 0, peak_skin_c = 0;
  std::vector<SimulationSample> series;
  std::vector<ThrottleEvent> throttles;
  std::vector<Residency> residency;
  int64_t setting_changes = 0;
  double energy_balance = 0;  // relative difference of heat in against heat stored and given off
  double battery_left_j = 0;
  bool battery_empty = false;
  // Of the time under load, what heat takes from the lifetime: the mean Arrhenius acceleration
  // against 55 C at an activation energy of 0.7 eV, and the slowing of gates by 0.1 % a kelvin.
  double ageing_acceleration = 0, timing_derating = 0;
  std::vector<std::string> warnings;
};

// Runs requests on a device in virtual time: continuous batching, prompts before tokens, a decision
// of the policy every control period, heat by the device's network. Pure: the same arguments give
// the same result. kBadInput or kUnsupported when the device lacks what is needed.
Result<SimulationResult> simulate(const Device& device, const LanguageLoad& load,
                                  const std::vector<Request>& requests, const std::string& policy,
                                  const PhaseAwareOptions& policy_options, double skin_limit_c,
                                  const SimulationOptions& options);
// The same with a policy of the caller's; `machine` and `device` belong together.
Result<SimulationResult> simulate(const Device& device, const Machine& machine,
                                  const LanguageLoad& load, const std::vector<Request>& requests,
                                  Policy& policy, const SimulationOptions& options);

// The smallest value that at least a share of the sorted values do not exceed; 0 for none.
double percentile_of(const std::vector<double>& sorted, double share);

}  // namespace edgewright
