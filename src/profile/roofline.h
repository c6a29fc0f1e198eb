#pragma once

#include <string>
#include <vector>

#include "device/roofs.h"
#include "profile/operator_cost.h"

namespace edgewright {

// Bytes that an operation moves through one level of memory.
struct LevelTraffic {
  std::string level;  // name in Roofs::memory
  int64_t bytes = 0;
};

// The share of a peak that kernels of a kind reach when nothing else holds them up. Of our own
// tuned kernels, measured with bench/kernels; used where a machine has no fitted time model.
double usual_efficiency(WorkKind kind);

// One operation against the roofs: what each limit alone would take, all in microseconds.
struct RoofTimes {
  double launch_us = 0;
  double compute_us = 0;  // at the peak of the operation's type
  // Of a measured machine as our kernels usually are that work in blocks (convolutions and products
  // of matrices). The peak of the others, which are slower than it because they wait for memory,
  // and of stated devices, which have no kernels of ours.
  double usual_compute_us = 0;
  std::vector<double> memory_us;  // per level of Roofs::memory
  double sync_us = 0;             // a parallel loop over the threads
  double intensity = 0;           // operations per byte of the last level with traffic
  double memory_gop_s = 0;        // least of intensity x bandwidth; infinite without traffic
  double attainable_gop_s = 0;    // min(peak, intensity x bandwidth), Williams et al. 2009
};

struct Roofline {
  const Roofs* roofs = nullptr;
  int threads = 1;

  double peak_gop_s(DType dtype) const;
  // Of all threads together.
  double bandwidth_gb_s(size_t level, bool writes) const;
  // Operations per byte at which arithmetic takes as long as main memory.
  double ridge(DType dtype) const;
  double dispatch_us() const;
};

// `traffic` has one entry for each level, or is empty: then all bytes come from the first level
// that holds the operation's operands.
RoofTimes roof_times(const Roofline& roofline, const Work& work,
                     const std::vector<LevelTraffic>& traffic);
std::vector<LevelTraffic> compulsory_traffic(const Roofs& roofs, const Work& work);

// A ready-made device from "peak=1e12,bandwidth=25.6e9[,cores=4][,cache=2e6,cache_bandwidth=1e11]"
// (operations and bytes per second); kUsage when it is not of this form.
Result<Roofs> parse_roofs(std::string_view text);

}  // namespace edgewright
