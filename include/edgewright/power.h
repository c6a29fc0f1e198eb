#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "edgewright/result.h"

namespace edgewright {

// What a piece of work cost, by what the machine offers to measure it with.
struct EnergyFigures {
  bool measured = false;
  std::string method;  // source, way of integrating, sampling rate and window; or what is missing
  double energy_j = 0, window_s = 0, mean_power_w = 0;
  int64_t samples = 0;
  double hottest_c = 0;    // of any zone at the end; 0: not known
  double mj_per_unit = 0;  // per token or inference
};

struct PowerEnergyOptions {
  std::string timestamps;                          // JSON list of window ends; empty: none
  std::vector<std::pair<double, double>> windows;  // seconds; empty: the whole trace
  double gap_factor = 5;                           // a step this many times the usual one is a gap
  double counter_range_uj = 0;                     // where an energy counter wraps; 0: never
  double max_power_w = 0;                          // of the device; 0: the trace's own highest
};
struct EnergyWindow {
  double start_s = 0, end_s = 0, energy_uj = 0, mean_power_w = 0;
  double uncertainty_uj = 0;  // that the gaps within bring
};
struct EnergyGap {
  double start_s = 0, end_s = 0, energy_uj = 0, uncertainty_uj = 0;
  std::string reason;
};
struct PowerEnergyReport {
  std::vector<EnergyWindow> windows;
  std::vector<EnergyGap> gaps;
  std::string method;
  double sample_period_s = 0;
  int64_t samples = 0, duplicates = 0, wraps = 0;
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const PowerEnergyReport& report);
// Integrates a recorded trace: CSV of time and power or of time and an energy counter, or an energy
// file of MLPerf Tiny (docs/formats/energy_trace.md). kBadInput with the line.
Result<PowerEnergyReport> power_energy(const std::string& trace,
                                       const PowerEnergyOptions& options = {});

// What is asked of a language model on a device. `model` is a Hugging Face folder or its
// config.json, a packed or GGUF file, what `profile --json` wrote of a language model, or
// "llama-1.1b", a shape without weights.
struct PowerSimulateOptions {
  std::string device;
  std::vector<std::string> policies = {"phase-aware"};  // power/policy.h names them
  std::string precision = "int8";                       // fp16, int8, int4
  std::string workload = "continuous";                  // or poisson, bursts, day, single
  double rate_per_s = 1;
  int prompt_tokens = 128, output_tokens = 128;
  double seconds = 600;
  std::string ambient = "25";  // Celsius; "0:25,600:35" changes it at times in seconds
  double skin_limit_c = -1;    // -1: the device's own, 0: none
  int max_batch = 1;
  int hot_batch = 0;  // that phase-aware may grow the batch to as the skin nears its limit; 0: none
  bool interleave = false;  // phase-aware computes prompts in pieces beside decoding
  double batch_wait_ms = 0, deadline_ms = 0;
  double slack = 1.0;  // of phase-aware: times the quickest step
  std::string trace;   // Perfetto (Chrome JSON) file to write; empty: none
  uint64_t seed = 0;
};
// A percentile of latency that the number of requests supports (MLPerf early stopping).
struct LatencyClaim {
  double percentile = 0, latency_us = 0;
  int64_t requests = 0, needed = 0;
  bool supported = false;
};
struct SimulatedRun {
  std::string policy;
  double energy_mj_per_token = 0, energy_mj_per_request = 0, latency_us = 0;  // per token
  double sustained_tokens_per_s = 0, burst_tokens_per_s = 0, mean_tokens_per_s = 0;
  double peak_temperature_c = 0, peak_skin_c = 0;
  int64_t requests = 0, tokens = 0, setting_changes = 0;
  double simulated_s = 0, request_p50_us = 0;
  double request_max_us = 0;  // of the slowest request: a fact, where a percentile is not
  std::optional<double> request_p95_us;  // none with fewer requests than the claim needs
  std::vector<LatencyClaim> claims;
  std::vector<std::pair<std::string, double>> energy_j;  // by component
  struct Sample {
    double time_s = 0, tokens_per_s = 0, power_w = 0, skin_c = 0, die_c = 0;
    std::string setting;
  };
  std::vector<Sample> series;
  std::vector<std::pair<double, std::string>> throttles;  // time in s, cause
  struct Residency {
    std::string cluster;
    int64_t frequency_khz = 0;
    double share = 0;
  };
  std::vector<Residency> residency;
  std::string usual_setting;  // where most time under load was spent
  double energy_balance = 0, ageing_acceleration = 0, timing_derating = 1;
  double battery_left_mwh = 0;
};
struct PowerSimulateReport {
  std::string device, model, precision;
  std::vector<SimulatedRun> runs;  // one a policy
  bool passed = true;              // every request kept the deadline's 95th percentile
  std::vector<std::string> warnings;
};
std::string to_json(const PowerSimulateReport& report);
Result<PowerSimulateReport> power_simulate(const std::string& model,
                                           const PowerSimulateOptions& options);

struct PowerPlanOptions {
  std::string device;
  std::vector<std::string> precisions = {"int8"};
  std::vector<int> batches = {1};
  double token_ms = 0, first_token_ms = 0;  // service levels; 0: `slack` times the quickest
  double slack = 1.2;
  double ambient_c = 25;
  double skin_limit_c = -1;  // -1: the device's own, 0: none
  double battery_hours = 0;  // that one charge has to last; 0: none
  int prompt_tokens = 128, output_tokens = 128;
};
struct PowerPlanPoint {
  std::string precision, prefill, decode;  // settings as "2x2400 MHz + 4x1800 MHz"
  int batch = 1;
  double duty = 1, energy_mj_per_token = 0, latency_us = 0, first_token_us = 0;
  double sustained_tokens_per_s = 0, power_w = 0, skin_c = 0, die_c = 0, battery_hours = 0;
};
struct PowerPlanCost {
  std::string constraint;
  bool binding = false;
  double energy_mj_per_token = 0;  // of the best plan without the constraint
};
struct PowerPlanReport {
  std::string device, model;
  PowerPlanPoint choice;
  std::vector<PowerPlanPoint> front;
  std::vector<PowerPlanCost> costs;
  int64_t examined = 0;
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const PowerPlanReport& report);
// kCheckFailed naming the limit that no plan keeps.
Result<PowerPlanReport> power_plan(const std::string& model, const PowerPlanOptions& options);

struct PowerGovernOptions {
  std::string device;
  std::string root = "/";  // the tree of sys and proc; another for tests
  // The engine's model, as for power_simulate, and the precision of its weights.
  std::string model = "llama-1.1b", precision = "int8";
  std::string policy = "phase-aware";
  double seconds = 0, period_ms = 1000;  // 0 seconds: until `stop` says so
  int pid = 0;                           // process whose cores are chosen; 0: none
  std::string hint_file;                 // where the engine says its phase; empty: always decoding
  std::string advice_file;               // where it reads its batch, duty and threads; empty: none
  std::string socket;  // of a privileged helper; empty: one is started with our own rights
  double skin_limit_c = -1;
  bool (*stop)() = nullptr;  // asked before every round
};
struct PowerGovernReport {
  std::string device, policy, choice;  // the setting last held
  bool reached = false;                // the kernel's files say the same
  bool restored = false;
  int64_t rounds = 0, writes = 0;
  double held_s = 0, hottest_c = 0, energy_j = 0, mean_power_w = 0;
  bool metered = false;  // else energy_j and mean_power_w mean nothing
  std::string meter;     // method, window and rate of the energy figure
  std::string advice;    // the last that was written
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const PowerGovernReport& report);
// Holds the policy's operating point on this machine and gives every value back at the end, also
// when this process is killed. What the machine lacks is said in `warnings` and done without.
Result<PowerGovernReport> power_govern(const PowerGovernOptions& options);
// The privileged part of it: serves setters on a UNIX socket for ever. With a device frequencies
// have to be within its own as well as the kernel's.
Status power_govern_helper(const std::string& socket, const std::string& root,
                           const std::string& device = "");

}  // namespace edgewright
