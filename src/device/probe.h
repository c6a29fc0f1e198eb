#pragma once

#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "device/roofs.h"
#include "device/topology.h"

namespace edgewright {

// The loops that the probe times; kernels/probe has them, and devices know no kernels.
struct ProbeArithmeticKernel {
  std::string_view type, unit;
  double operations_per_round = 0;
  void (*run)(size_t rounds) = nullptr;
};
struct ProbeKernels {
  float (*read)(const float* from, size_t count, int streams, size_t passes) = nullptr;
  void (*write)(float* to, size_t count, bool around, size_t passes) = nullptr;
  void (*copy)(const float* from, float* to, size_t count, size_t passes) = nullptr;
  std::vector<ProbeArithmeticKernel> arithmetic;
};

struct ProbeOptions {
  double seconds = 8;             // for everything; a quick probe takes 0.5
  int repetitions = 11;           // of each measurement
  int threads = 0;                // of "all cores"; 0: as many as the topology has
  int64_t main_memory_bytes = 0;  // working set of the DRAM figures; 0: twice the last cache,
                                  // between 256 MiB and 1 GiB
  // Spreads above these make the figures useless and the probe fails.
  double largest_compute_spread = 0.15, largest_memory_spread = 0.40;
  Progress progress;
};

// One more thread after another.
struct ScalingRow {
  int threads = 1;
  double gop_s = 0;      // float32 multiply-adds in registers
  double read_gb_s = 0;  // from main memory
};

struct ProbeResult {
  Roofs roofs;
  Topology topology;
  std::vector<ScalingRow> scaling;
  double largest_compute_spread = 0, largest_memory_spread = 0;
  Measured frequency_mhz;  // of a busy core, from a chain of additions of one cycle each
};

// What was measured as a device: one cluster of all CPUs.
Device device_of(const ProbeResult& result, std::string name);

// Measures this machine. kCheckFailed when it is too noisy, naming the figure and its spread;
// kInternal when memory is short.
Result<ProbeResult> probe_host(const ProbeKernels& kernels, const ProbeOptions& options);

}  // namespace edgewright
