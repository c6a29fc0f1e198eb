#pragma once

#include "runtime/compile.h"
#include "runtime/timing_cache.h"

namespace edgewright {

// Chooses the implementation that runs fastest here, by measurement. Times are looked up in and
// added to the cache; the caller saves it. Not for several threads at once.
class Autotuner : public ImplementationChooser {
 public:
  explicit Autotuner(TimingCache& cache) : cache_(cache) {}

  Result<const KernelImplementation*> choose(
      const KernelRequest& request,
      std::span<const KernelImplementation* const> candidates) override;

  // Implementations that were run rather than looked up.
  size_t measured() const { return measured_; }

 private:
  TimingCache& cache_;
  size_t measured_ = 0;
};

// What a time depends on: CPU, operation, shapes, layouts, attributes, threads, implementation and
// its version.
std::string timing_key(const KernelRequest& request, const KernelImplementation& implementation);

// Median time of one run in microseconds on made-up data; the constants of the request are used.
Result<double> measure(const KernelRequest& request, const KernelImplementation& implementation);

}  // namespace edgewright
