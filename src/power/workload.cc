#include "power/workload.h"

#include <cmath>
#include <numbers>

namespace edgewright {
namespace {

constexpr size_t kMaxRequests = 2'000'000;

// The rate at a time, and the highest one it ever has.
double rate_at(const WorkloadOptions& options, double now_s) {
  if (options.kind == "bursts") {
    return std::fmod(now_s, 120) < 60 ? 2 * options.rate_per_s : 0;
  }
  if (options.kind == "day") {
    // The horizon stands for a day; nights are at a tenth of the peak.
    const double phase = 2 * std::numbers::pi * now_s / options.horizon_s;
    return options.rate_per_s * (1 - 0.9 * std::cos(phase));
  }
  return options.rate_per_s;
}
double highest_rate(const WorkloadOptions& options) {
  return options.kind == "poisson" ? options.rate_per_s : 2 * options.rate_per_s;
}

int around(Draw& draw, int mean) {
  return std::max(1, static_cast<int>(std::lround(mean * (0.5 + draw.uniform()))));
}

}  // namespace

uint64_t Draw::next() {
  state_ += 0x9E3779B97F4A7C15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

double Draw::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

Result<std::vector<Request>> make_workload(const WorkloadOptions& options) {
  Draw draw(options.seed);
  std::vector<Request> requests;
  if (options.kind == "single") {
    requests.push_back({0, options.prompt_tokens, options.output_tokens});
    return requests;
  }
  if (options.kind == "continuous") {
    // More than any device can serve; what is left at the end does not count.
    const auto count = static_cast<size_t>(std::min(options.horizon_s * 200, 1e5));
    for (size_t i = 0; i < count; ++i) {
      requests.push_back(
          {0, around(draw, options.prompt_tokens), around(draw, options.output_tokens)});
    }
    return requests;
  }
  if (options.kind != "poisson" && options.kind != "bursts" && options.kind != "day") {
    return usage_error("workload '{}', expected continuous, single, poisson, bursts or day",
                       options.kind);
  }
  // Arrivals at the highest rate, thinned to the rate of the moment.
  const double highest = highest_rate(options);
  double now = 0;
  while (requests.size() < kMaxRequests) {
    now -= std::log1p(-draw.uniform()) / highest;
    if (now >= options.horizon_s) break;
    if (draw.uniform() * highest <= rate_at(options, now)) {
      requests.push_back(
          {now, around(draw, options.prompt_tokens), around(draw, options.output_tokens)});
    }
  }
  return requests;
}

}  // namespace edgewright
