#include "edgewright/profile.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "api/energy_watch.h"
#include "api/engine.h"
#include "api/open_backend.h"
#include "api/session_inputs.h"
#include "base/clock.h"
#include "graph/fix_shapes.h"
#include "power/early_stopping.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

LatencySummary summarise(std::vector<double> latencies) {
  std::ranges::sort(latencies);
  // Half of the runs, rounded up, are no slower than the median.
  return {latencies.front(), latencies[(latencies.size() - 1) / 2], claimed_latency(latencies, 0.9),
          claimed_latency(latencies, 0.99)};
}

// VmHWM of this program's memory. ru_maxrss will not do: it begins with what the process that
// started this one held.
int64_t peak_rss_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoll(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return 0;
}

}  // namespace

Result<BenchReport> bench(const std::string& path, const BenchOptions& options) {
  BenchReport report;
  report.backend = options.session.backend;
  report.threads = options.session.threads;
  auto start = Clock::now();
  EDGEWRIGHT_ASSIGN(auto session, open_backend(path, options.session));
  report.load_us = microseconds_since(start);
  report.mix = session.mix;
  EDGEWRIGHT_ASSIGN(const auto inputs, session_inputs(session->inputs(), options.inputs,
                                                      options.session, options.seed));
  start = Clock::now();
  EDGEWRIGHT_TRY(session->run(inputs));
  report.first_inference_us = microseconds_since(start);
  for (int i = 1; i < options.warmup; ++i) EDGEWRIGHT_TRY(session->run(inputs));

  EnergyWatch energy(options.power_root);
  energy.begin();
  std::vector<double> latencies;
  const auto begin = Clock::now();
  const double limit_us = options.seconds * 1e6;
  while (options.runs > 0 ? std::ssize(latencies) < options.runs
                          : latencies.empty() || microseconds_since(begin) < limit_us) {
    start = Clock::now();
    EDGEWRIGHT_TRY(session->run(inputs));
    latencies.push_back(microseconds_since(start));
    if (options.progress && latencies.size() % 16 == 0) {
      options.progress("bench", static_cast<size_t>(microseconds_since(begin)),
                       static_cast<size_t>(limit_us));
    }
  }
  report.throughput_per_s = static_cast<double>(latencies.size()) / microseconds_since(begin) * 1e6;
  report.runs = std::ssize(latencies);
  report.energy = energy.end(report.runs);
  report.latency_us = summarise(std::move(latencies));
  report.peak_rss_bytes = peak_rss_bytes();
  report.arena_bytes = static_cast<int64_t>(session->figures().arena_bytes);
  report.live_set_bytes = static_cast<int64_t>(session->figures().live_set_bytes);
  return report;
}

}  // namespace edgewright
