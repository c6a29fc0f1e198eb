#include "serve/service/statistics.h"

#include <algorithm>

namespace edgewright {
namespace {

// A hostile mix of sizes must not fill the memory with rows.
constexpr size_t kMaxBatchRows = 64;

}  // namespace

void ModelStatistics::add_total(int64_t total_ns) {
  counts_.success.add(total_ns);
  const auto* bound = std::ranges::lower_bound(kLatencyBoundsUs, total_ns / 1000);
  ++counts_.latency_buckets[static_cast<size_t>(bound - kLatencyBoundsUs.begin())];
  counts_.last_inference_ms =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                std::chrono::system_clock::now().time_since_epoch())
                                .count());
}

void ModelStatistics::add_success(const LaneTimes& times, int64_t total_ns) {
  const std::lock_guard lock(mutex_);
  add_total(total_ns);
  counts_.queue.add(times.queue_ns);
  counts_.input.add(times.input_ns);
  counts_.run.add(times.run_ns);
  counts_.output.add(times.output_ns);
  if (!times.is_first) return;
  ++counts_.executions;
  counts_.inferences += static_cast<uint64_t>(std::max<int64_t>(times.rows, 1));
  if (counts_.batches.size() >= kMaxBatchRows && !counts_.batches.contains(times.rows)) return;
  auto& [input, run, output] = counts_.batches[times.rows];
  input.add(times.input_ns);
  run.add(times.run_ns);
  output.add(times.output_ns);
}

void ModelStatistics::add_failure(int64_t total_ns) {
  const std::lock_guard lock(mutex_);
  counts_.failure.add(total_ns);
}

void ModelStatistics::add_text(int64_t tokens, double energy_j, int64_t total_ns) {
  const std::lock_guard lock(mutex_);
  add_total(total_ns);
  ++counts_.executions;
  ++counts_.inferences;
  counts_.tokens += static_cast<uint64_t>(tokens);
  counts_.text_energy_j += energy_j;
}

ModelCounts ModelStatistics::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace edgewright
