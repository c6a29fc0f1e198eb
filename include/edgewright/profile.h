#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "edgewright/power.h"
#include "edgewright/session.h"

namespace edgewright {

struct BenchOptions {
  InferenceOptions session;
  TensorMap inputs;  // missing ones are seeded
  uint64_t seed = 0;
  int warmup = 3;
  int runs = 0;  // 0: as many as fit in `seconds`
  double seconds = 2;
  std::string power_root = "/";  // the tree of sys whose energy counters and sensors are read
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

// Latencies of single inferences in microseconds; NaN: fewer runs than a claim needs (MLPerf).
struct LatencySummary {
  double min = 0, median = 0, p90 = 0, p99 = 0;
};

struct BenchReport {
  LatencySummary latency_us;
  int64_t runs = 0;
  double load_us = 0, first_inference_us = 0;
  int64_t peak_rss_bytes = 0, arena_bytes = 0, live_set_bytes = 0;
  double throughput_per_s = 0;  // inferences per second
  EnergyFigures energy;         // of the counted runs, per inference
  std::string backend;
  std::optional<MixReport> mix;  // of the backend "mixed"
  int threads = 1;
  bool passed = true;
  std::vector<std::string> warnings;
};

std::string to_json(const BenchReport& report);
Result<BenchReport> bench(const std::string& path, const BenchOptions& options = {});

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
  std::string times_cache;       // the fitted times of device probe --layers; empty or absent: none
  bool confirm = false;          // test the verdicts by experiment
  bool apply = false;            // try the advice that the tool can try
  std::vector<int64_t> batches;  // sizes to measure; empty: no batch model
  double latency_cost = 0, throughput_cost = 1;  // per us of latency, per us of time per sample
  int64_t memory_limit_bytes = 0;    // of a batch's values, weights not counted; 0: none
  std::vector<int64_t> lengths;      // of sequences that are padded to the longest of a batch
  std::vector<std::string> exports;  // files to write; the ending says the format
  int prompt_tokens = 64, new_tokens = 16;  // of a language model's request
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

// Bytes that an operator moves through one level of memory, modelled, and what that takes.
struct LevelFigure {
  std::string level;
  int64_t bytes = 0;
  double time_us = 0;
};

struct BreakdownRow {
  std::string name;
  double time_us = 0, share = 0;
  int64_t count = 0;
};

// One step of the plan, or one part of a language model's layer in one phase, all its calls
// together. Times are microseconds; `time_us` is measured (modelled for another
// device), its four parts add up to it and are modelled.
struct ProfiledOperator {
  std::string name, op, implementation, kind, role, layer;
  std::string phase;  // "prefill" or "decode"; empty: no language model
  int64_t calls = 1;
  // What a kernel does in one go, its time divided by the operations counted: modelled.
  std::vector<BreakdownRow> fused;
  double time_us = 0, spread = 0, share = 0, start_us = 0;
  double predicted_us = 0;  // by the fit of device probe --layers, else by the roofs
  double launch_us = 0, compute_us = 0, memory_us = 0, sync_us = 0;
  double execute_us = 0, stall_us = 0;  // of compute_us: at the peak, and the rest
  int64_t multiply_adds = 0, flops = 0, bytes_read = 0, weight_bytes = 0, bytes_written = 0;
  int64_t weight_count = 0;  // values in weight_bytes
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
  std::vector<float> samples_us;              // of single runs, at most 50
  // Of the machine code of its hottest loop, with `confirm`; 0 instructions: not looked at.
  int64_t loop_instructions = 0, vector_bits = 0;
  double code_share = 0;               // of the kernel's time that this loop takes
  double vector_share = 0;             // of its instructions that touch vectors
  double arithmetic_share = 0;         // of its instructions that multiply or add vectors
  double instruction_parallelism = 0;  // instructions over the longest chain of them
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

struct MemoryHolder {
  std::string value, producer;
  int64_t size_bytes = 0;
};

// What went on beside the operators: what each thread did, the phases of a language model.
struct TrackSlice {
  std::string name, kind;
  double start_us = 0, time_us = 0;
};
struct ProfileTrack {
  std::string name;
  std::vector<TrackSlice> slices;
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
  double efficiency = 0;     // throughput against batch x that of batch 1
  double cost = 0;           // as --batch-costs weighs it, padding counted
  int64_t memory_bytes = 0;  // of the values; all batches share the weights
  double padding = 0;        // share of the batch that is padding, for the given lengths
};

struct ProfileReport {
  std::string model, device, cpu;
  int threads = 1, runs = 0;
  int disturbed_runs = 0;    // left out: the machine was slower than at its quickest around them
  bool is_modelled = false;  // the times: of another device
  double wall_us = 0, profiled_wall_us = 0, wall_spread = 0;
  double operators_us = 0;     // sum of the operators
  double overhead_us = 0;      // stated: binding before, gathering after
  double unattributed_us = 0;  // wall - operators - overhead
  double predicted_us = 0;     // what the operators were predicted to take
  double machine_pace = 1;     // how much longer layers take now than when device probe timed them
  std::vector<float> wall_samples_us;  // at most 200
  double load_us = 0, first_inference_us = 0;
  std::string verdict;  // one sentence
  std::vector<ProfiledOperator> operators;
  std::vector<RoofFigure> roofs;
  double ridge = 0;  // float32 operations per byte of main memory
  std::vector<BreakdownRow> by_kind, by_role, phases;
  std::vector<BreakdownRow> by_part;  // by_role with fused kernels divided: modelled
  std::vector<ProfileTrack> tracks;
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
// Where the time of a model goes, on this machine or on another device's roofline; of a language
// model, one request: the prompt, then token after token. kUsage for a device that is not known.
Result<ProfileReport> profile(const std::string& path, const ProfileOptions& options = {});

// ---- Profiles of other programs, and differences of two ----

// An operator of an imported trace, all its calls together.
struct ImportedOperator {
  std::string name, op, implementation;
  int64_t calls = 0;
  double total_us = 0, share = 0;
  int64_t flops = 0;  // of one call; 0 where the trace has no shapes
  double gop_s = 0, intensity = 0;
  std::string bound;  // on this machine's roofline; empty where the trace has no shapes
};
struct ImportReport {
  std::string file, source;  // "onnxruntime", "openvino", "tflite", "chrome", "perfetto", "nsight"
  int64_t runs = 1, slices = 0;
  std::vector<std::string> tracks;
  double total_us = 0;         // sum of the operators
  double stated_total_us = 0;  // what the file itself gives as the total; 0: nothing
  double span_us = 0, busy_us = 0, idle_us = 0, longest_gap_us = 0;
  double largest_concurrency = 0, average_concurrency = 0;
  int64_t synchronisations = 0;
  double synchronise_us = 0, copied_bytes = 0, copy_us = 0;
  std::vector<ImportedOperator> operators;  // longest first
  std::vector<BreakdownRow> by_op;
  std::vector<std::string> exported;
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const ImportReport& report);
// Reads what another profiler wrote; `options` gives exports and the roofs' cache. kBadInput when
// no known format fits.
Result<ImportReport> import_profile(const std::string& path, const ProfileOptions& options = {});

// The p below which a difference counts.
inline constexpr double kSignificance = 0.01;
struct ProfileDifference {
  std::string name;
  double first_us = 0, second_us = 0;
  double p_value = 1;   // that chance alone makes it; corrected for the number of operators
  bool judged = false;  // both documents have runs enough of it; modelled ones have none
  bool significant = false;
};
struct ProfileComparison {
  std::string first, second;
  ProfileDifference total;
  std::vector<ProfileDifference> operators;  // largest difference first
  std::vector<std::string> only_in_first, only_in_second;
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const ProfileComparison& comparison);
// Two files of `profile --json`.
Result<ProfileComparison> compare_profiles(const std::string& first, const std::string& second);

}  // namespace edgewright
