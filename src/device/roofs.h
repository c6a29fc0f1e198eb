#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "device/device.h"

namespace edgewright {

// A figure with its spread over repetitions, so that nobody reads noise as fact.
struct Measured {
  double value = 0;
  double spread = 0;  // (90th - 10th percentile) / median of the repetitions; 0 when one value
};

// How quickly one level of the memory hierarchy gives and takes data, in 10^9 bytes per second.
// The size of a copy counts once for reading and once for writing.
struct MemoryRoof {
  std::string name;        // "L1", "L2", "L3", "DRAM"
  int64_t size_bytes = 0;  // 0: no limit
  bool is_shared = false;  // by all cores
  // One core: one stream, and the best of several interleaved ones, because kernels differ.
  Measured read_gb_s, write_gb_s, copy_gb_s;
  Measured read_streams_gb_s;
  Measured write_around_gb_s;  // past the caches; of main memory only
  // All cores together.
  Measured read_all_gb_s, write_all_gb_s, copy_all_gb_s;
};

// Peak arithmetic of one element type in 10^9 operations per second; a multiply-add counts as two.
struct ComputeRoof {
  std::string type;  // "float32", "bfloat16", "int8" (dot products into 32 bits)
  std::string unit;  // "avx3", "amx", "neon": which instructions reach it
  Measured core_gop_s, all_gop_s;
};

// Time of a parallel loop over nothing, and of the clock that measures it.
struct DispatchCost {
  int threads = 1;
  Measured dispatch_us;
};

// The measured or stated limits of a device, from which rooflines are drawn.
struct Roofs {
  std::string device;  // whose they are
  std::string source;  // "measured", or where the figures come from
  int cores = 1;
  std::vector<MemoryRoof> memory;  // nearest first; the last one is main memory
  std::vector<ComputeRoof> compute;
  std::vector<DispatchCost> dispatch;
  Measured clock_us;  // one reading of the clock
  Measured step_us;   // a call of an empty kernel of a plan: launch
  bool is_measured = false;

  bool empty() const { return memory.empty() || compute.empty(); }
};

// The roofs that a device file states: peaks of all clusters at their highest frequency, bandwidth
// of every memory level that has one. kUnsupported naming the key that the device lacks.
Result<Roofs> roofs_of(const Device& device);

// The quickest unit for this type; float32's when there is none of the type itself. Null for
// roofs without arithmetic.
const ComputeRoof* find_compute_roof(const Roofs& roofs, std::string_view type);

}  // namespace edgewright
