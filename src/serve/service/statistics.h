#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "serve/batching/lane.h"

namespace edgewright {

// Numbers and total times as the statistics extension of the protocol counts them.
struct CountedTime {
  uint64_t count = 0, total_ns = 0;
  void add(int64_t time_ns) {
    ++count;
    total_ns += static_cast<uint64_t>(time_ns);
  }
};

// Upper bounds of the latency histogram in microseconds; the last bucket is without one.
inline constexpr std::array<int64_t, 12> kLatencyBoundsUs = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 500000, 2500000};

// Of one version of a model; a plain value.
struct ModelCounts {
  uint64_t inferences = 0, executions = 0;  // rows computed, and runs of the model
  uint64_t last_inference_ms = 0;           // since the epoch
  CountedTime success, failure, queue, input, run, output;
  std::map<int64_t, std::array<CountedTime, 3>> batches;  // rows -> input, run, output
  std::array<uint64_t, kLatencyBoundsUs.size() + 1> latency_buckets{};
  uint64_t tokens = 0;       // made, of language models
  double text_energy_j = 0;  // that their requests were charged with
};

// Thread-safe.
class ModelStatistics {
 public:
  void add_success(const LaneTimes& times, int64_t total_ns);
  void add_failure(int64_t total_ns);
  void add_text(int64_t tokens, double energy_j, int64_t total_ns);
  ModelCounts counts() const;

 private:
  void add_total(int64_t total_ns);
  mutable std::mutex mutex_;
  ModelCounts counts_;
};

}  // namespace edgewright
