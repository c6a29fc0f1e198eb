#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace edgewright {

struct Request {
  double arrival_s = 0;
  int prompt_tokens = 0, output_tokens = 0;
};

struct WorkloadOptions {
  // "continuous": the next request comes when the last is done (arrivals at 0);
  // "poisson"; "bursts": on and off for a minute each at twice the rate; "day": the rate follows a
  // day curve, quietest at night; "single".
  std::string kind = "continuous";
  double rate_per_s = 1;
  int prompt_tokens = 128, output_tokens = 128;  // means; each drawn from half to one and a half
  double horizon_s = 3600;
  uint64_t seed = 0;
};
// Requests in order of arrival; the same seed gives the same ones on every machine.
// kUsage naming the known kinds.
Result<std::vector<Request>> make_workload(const WorkloadOptions& options);

// Numbers that are the same everywhere (SplitMix64).
class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed) {}
  uint64_t next();
  double uniform();  // [0, 1)

 private:
  uint64_t state_;
};

}  // namespace edgewright
