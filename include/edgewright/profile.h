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

}  // namespace edgewright
