#pragma once

#include <functional>
#include <string>
#include <vector>

#include "edgewright/session.h"

namespace edgewright {

struct BenchOptions {
  InferenceOptions session;
  TensorMap inputs;  // missing ones are seeded
  uint64_t seed = 0;
  int warmup = 3;
  int runs = 0;  // 0: as many as fit in `seconds`
  double seconds = 2;
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

// Latencies of single inferences in microseconds.
struct LatencySummary {
  double min = 0, median = 0, p90 = 0, p99 = 0;
};

struct BenchReport {
  LatencySummary latency_us;
  int64_t runs = 0;
  double load_us = 0, first_inference_us = 0;
  int64_t peak_rss_bytes = 0, arena_bytes = 0, live_set_bytes = 0;
  double throughput_per_s = 0;  // inferences per second
  std::string backend;
  int threads = 1;
  bool passed = true;
  std::vector<std::string> warnings;
};

std::string to_json(const BenchReport& report);
Result<BenchReport> bench(const std::string& path, const BenchOptions& options = {});

// ---- device probe ----

struct DeviceProbeOptions {
  double seconds = 12;
  int threads = 0;            // of "all cores"; 0: every core
  bool accept_noise = false;  // report instead of refuse
  std::string output;         // device file (TOML) to write; empty: none
  std::string roofs_cache;    // where `profile` looks for the roofs; empty: nowhere
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

// One measured limit. Groups are "L1" .. "DRAM" (read, write, copy in 10^9 bytes/s), types such as
// "float32 vector" (10^9 operations/s), "dispatch" (us of a parallel loop over nothing), "clock".
struct ProbeFigure {
  std::string group, name;
  double value = 0;
  double spread = 0;  // (90th - 10th percentile) / median of the repetitions
};
struct ProbeScaling {
  int threads = 1;
  double gop_s = 0, read_gb_s = 0;
};
struct ProbeCache {
  int level = 1, count = 1, shared_by_cpus = 1, line_bytes = 64;
  int64_t size_bytes = 0;
};
struct DeviceProbeReport {
  std::string cpu;
  std::vector<std::string> features;
  int packages = 1, cores = 1, cpus = 1, numa_nodes = 1;
  int64_t memory_bytes = 0;
  std::vector<ProbeCache> caches;
  std::vector<ProbeFigure> figures;
  std::vector<ProbeScaling> scaling;
  double largest_compute_spread = 0, largest_memory_spread = 0;
  std::string output;
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const DeviceProbeReport& report);
// Measures this machine's roofs. kCheckFailed when it is too noisy for the figures to mean much.
Result<DeviceProbeReport> probe_device(const DeviceProbeOptions& options = {});

// ---- profile ----

struct ProfileOptions {
  InferenceOptions session;
  TensorMap inputs;  // missing ones are seeded
  uint64_t seed = 0;
  double seconds = 2;
  // Where empty: this machine, measured. Else a name of the catalogue, a device file, or
  // "peak=OPS_PER_S,bandwidth=BYTES_PER_S[,cores=N]": nothing runs, times are modelled.
  std::string device;
  // File in which the measured roofs of this machine are kept; empty: measured each time.
  std::string roofs_cache;
  bool confirm = false;                          // test the verdicts by experiment
  bool apply = false;                            // try the advice that the tool can try
  std::vector<int64_t> batches;                  // sizes to measure; empty: no batch model
  double latency_cost = 0, throughput_cost = 1;  // per us of latency, per us of time per sample
  std::vector<std::string> exports;              // files to write; the ending says the format
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

// Bytes that an operator moves through one level of memory, modelled, and what that takes.
struct LevelFigure {
  std::string level;
  int64_t bytes = 0;
  double time_us = 0;
};

// One step of the plan. Times are microseconds; `time_us` is measured (modelled for another
// device), its four parts add up to it and are modelled.
struct ProfiledOperator {
  std::string name, op, implementation, kind, role, layer;
  double time_us = 0, spread = 0, share = 0, start_us = 0;
  double launch_us = 0, compute_us = 0, memory_us = 0, sync_us = 0;
  double execute_us = 0, stall_us = 0;  // of compute_us: at the peak, and the rest
  int64_t multiply_adds = 0, flops = 0, bytes_read = 0, weight_bytes = 0, bytes_written = 0;
  bool complete = true;
  std::vector<LevelFigure> levels;
  double intensity = 0;         // operations per byte of the furthest level that it reaches
  double gop_s = 0;             // reached
  double attainable_gop_s = 0;  // where the roofline is at that intensity
  double efficiency = 0;        // gop_s / attainable_gop_s
  std::string bound;            // "compute", "L2", ..., "overhead"
  std::string access;           // "unit-stride", "strided", "random", "streaming"
  double locality = 0;          // share of the bytes of touched cache lines that are used
  std::vector<int64_t> reuse_distance_bytes;  // 10th, 50th, 90th percentile; -1: never used again
  // Of an experiment: whether it agrees, and what was seen.
  bool confirmed = false, contradicted = false;
  std::string experiment;
};

struct RoofFigure {
  std::string name;  // "L1", "DRAM", "float32"
  std::string unit;  // "GB/s", "GOP/s"
  int64_t size_bytes = 0;
  double value = 0;  // for the threads of this profile
  bool measured = false;
};

struct BreakdownRow {
  std::string name;
  double time_us = 0, share = 0;
  int64_t count = 0;
};

struct MemoryHolder {
  std::string value, producer;
  int64_t size_bytes = 0;
};

struct AdviceRow {
  std::string opportunity, why;
  double share = 0;         // of the time that it touches
  double predicted_us = 0;  // total after it
  double speedup = 1;       // of the whole, by Amdahl's law
  double priority = 0;      // share x potential x ease / (risk x complexity)
  std::string command;      // how to do it; empty: not by this tool
  bool applied = false;
  double achieved_us = 0;  // where applied
};

struct BatchRow {
  int64_t batch = 1;
  double latency_us = 0;  // measured, or from the model
  bool measured = false;
  double efficiency = 0;  // throughput against batch x that of batch 1
  double cost = 0;
};

struct ProfileReport {
  std::string model, device, cpu;
  int threads = 1, runs = 0;
  bool is_modelled = false;  // the times: of another device
  double wall_us = 0, profiled_wall_us = 0, wall_spread = 0;
  double operators_us = 0;     // sum of the operators
  double overhead_us = 0;      // stated: binding before, gathering after
  double unattributed_us = 0;  // wall - operators - overhead
  double load_us = 0, first_inference_us = 0;
  std::string verdict;  // one sentence
  std::vector<ProfiledOperator> operators;
  std::vector<RoofFigure> roofs;
  double ridge = 0;  // float32 operations per byte of main memory
  std::vector<BreakdownRow> by_kind, by_role, phases;
  int64_t multiply_adds = 0, flops = 0, parameter_bytes = 0;
  int64_t arena_bytes = 0, live_set_bytes = 0, peak_bytes = 0;
  std::string peak_step;
  std::vector<MemoryHolder> peak_holders;
  std::vector<AdviceRow> advice;
  std::vector<BatchRow> batches;
  int64_t best_batch = 0;
  std::vector<std::string> exported;
  std::string counters;        // "absent: ...", or what they said
  double confirmed_share = 0;  // of the operators over 1 % whose verdict the experiment supports
  bool passed = true;
  std::vector<std::string> warnings;
};

std::string to_json(const ProfileReport& report);
// Where the time of a model goes, on this machine or on another device's roofline. kUsage for a
// device that is not known.
Result<ProfileReport> profile(const std::string& path, const ProfileOptions& options = {});

}  // namespace edgewright
