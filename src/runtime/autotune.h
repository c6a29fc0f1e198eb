#pragma once

#include "runtime/compile.h"
#include "runtime/timing_cache.h"

namespace edgewright {

// Chooses the implementation that runs fastest here, by measurement. Times are looked up in and
// added to the cache; the caller saves it. A time that was taken while something else kept the
// machine busy decides once but is not added. Not for several threads at once.
class Autotuner : public ImplementationChooser {
 public:
  explicit Autotuner(TimingCache& cache) : cache_(cache) {}

  Result<const KernelImplementation*> choose(
      const KernelRequest& request,
      std::span<const KernelImplementation* const> candidates) override;
  // True when a library that generates its kernels costs a plan more at every opening than it wins
  // in the runs that have to pay for it; the next plan is then made without it.
  bool reconsider() override;

  // Implementations that were run rather than looked up.
  size_t measured() const { return measured_; }

 private:
  Result<KernelTimes> times_of(const KernelRequest& request,
                               const KernelImplementation& implementation);

  TimingCache& cache_;
  size_t measured_ = 0;
  // Of the plan that is being made: what generated kernels cost at opening and win in one run.
  double generated_make_us_ = 0;
  double generated_gain_us_ = 0;
  bool without_generated_ = false;
};

// What a time depends on: CPU, operation, shapes, layouts, attributes, threads, implementation and
// its version.
std::string timing_key(const KernelRequest& request, const KernelImplementation& implementation);

struct Measurement {
  double run_us = 0;    // the fastest run: what disturbs only ever adds
  double make_us = 0;   // making the kernel
  bool steady = false;  // whether it may be relied on later
};

// Whether the machine was left alone while runs took these times: most were about as fast as the
// fastest, and the thread had the processor (`cpu_share` of the wall time).
bool is_steady(std::span<const double> times_us, double cpu_share);

// Time of one run on made-up data; the constants of the request are used. Measured again, a few
// times at most, while the times are not steady.
Result<Measurement> measure_kernel(const KernelRequest& request,
                                   const KernelImplementation& implementation);
// Whether the kernel's code is made whenever a plan is opened, by a library.
bool is_generated(const KernelImplementation& implementation);
// What an implementation counts as when one is chosen for a plan: a run, and the share of making
// the kernel that one run has to win back.
double choice_cost_us(const KernelImplementation& implementation, double run_us, double make_us);
// The time of one run alone, in microseconds.
Result<double> measure(const KernelRequest& request, const KernelImplementation& implementation);

}  // namespace edgewright
