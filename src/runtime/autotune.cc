#include "runtime/autotune.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "base/clock.h"
#include "base/cpu.h"
#include "kernels/sparse/sparse_weights.h"
#include "runtime/kernel_runner.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// A layer is run until so much time went by or so many runs were made, whichever comes first.
constexpr double kBudgetUs = 4000;
constexpr size_t kMinRuns = 5;
constexpr size_t kMaxRuns = 60;
// Runs shorter than this are timed several at once: reading the clock takes some 0.03 us.
constexpr double kShortestTimedUs = 2;
constexpr int kMostTimedAtOnce = 64;
constexpr int kMaxAttempts = 4;
// On an idle machine the median of a kernel's times lies within a few per cent of the fastest.
constexpr double kSteadySpread = 1.15;
constexpr double kSteadyCpuShare = 0.9;
// Making a kernel counts as this share of a run: code that is generated whenever a plan is opened
// has to win back what its making costs within ten runs.
constexpr double kSetUpShare = 0.1;
// Products of bfloat16 are tried only for models that were converted to them, which is done for
// many runs: their making is won back within a hundred.
constexpr std::string_view kLowProducts = "_bf16_";
constexpr double kSetUpShareOfLow = 0.01;
// The instruction-set part of the names of kernels whose code is generated at opening, and what the
// first of them costs beside its own making: the library finds out about the machine and touches
// its code for the first time (seen: 0.7 to 0.9 ms).
constexpr std::string_view kGenerated = "_onednn";
constexpr double kGeneratorStartUs = 800;

bool is_low(const KernelImplementation& implementation) {
  return implementation.name.find(kLowProducts) != std::string_view::npos;
}

double thread_cpu_us() {
  struct timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

std::string attributes_text(const Attributes& attributes) {
  std::string text;
  for (const auto& [name, value] : attributes) {
    text += name + "=";
    if (const auto* number = std::get_if<int64_t>(&value)) text += fmt::format("{}", *number);
    if (const auto* number = std::get_if<float>(&value)) text += fmt::format("{}", *number);
    if (const auto* string = std::get_if<std::string>(&value)) text += *string;
    if (const auto* list = std::get_if<std::vector<int64_t>>(&value)) text += dims_text(*list);
    text += ',';
  }
  return text;
}

// Kernels for sparse weights take as long as there are weights: in steps of a twentieth.
std::string constant_text(const TensorSpec& spec) {
  if (spec.constant == nullptr) return "";
  if (spec.dims.size() < 2) return "c";
  const auto twentieths = std::lround(20 * share_of_zeros(*spec.constant));
  return twentieths == 0 ? "c" : fmt::format("c{}z", 5 * twentieths);
}

std::string specs_text(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    if (spec.dtype == DType::kUndefined) {
      text += "_,";
      continue;
    }
    text += fmt::format("{}[{}]{}{},", dtype_name(spec.dtype), dims_text(spec.dims),
                        static_cast<int>(spec.layout), constant_text(spec));
  }
  return text;
}

}  // namespace

std::string timing_key(const KernelRequest& request, const KernelImplementation& implementation) {
  const CpuInfo& cpu = host_cpu();
  return fmt::format("{}|{}|{}::{}|{}|{}|{}|{} threads|{}@{}", cpu.model,
                     fmt::join(cpu.features, ","), request.domain, request.op,
                     specs_text(request.inputs), specs_text(request.outputs),
                     attributes_text(*request.attributes), request.threads, implementation.name,
                     implementation.version);
}

bool is_steady(std::span<const double> times_us, double cpu_share) {
  if (times_us.empty()) return false;
  std::vector<double> sorted(times_us.begin(), times_us.end());
  std::ranges::sort(sorted);
  return cpu_share >= kSteadyCpuShare && sorted[sorted.size() / 2] <= kSteadySpread * sorted[0];
}

namespace {

// A first run, not counted, then as many as the budget holds.
Measurement timed_runs(KernelRunner& kernel) {
  kernel.run();
  const auto once = Clock::now();
  kernel.run();
  const double once_us = std::max(0.01, microseconds_since(once));
  const int at_once = std::clamp(static_cast<int>(kShortestTimedUs / once_us), 1, kMostTimedAtOnce);
  std::vector<double> times_us;
  const double cpu_begin_us = thread_cpu_us();
  const auto start = Clock::now();
  while (times_us.size() < kMinRuns ||
         (times_us.size() < kMaxRuns && microseconds_since(start) < kBudgetUs)) {
    const auto before = Clock::now();
    for (int i = 0; i < at_once; ++i) kernel.run();
    times_us.push_back(microseconds_since(before) / at_once);
  }
  const double cpu_share = (thread_cpu_us() - cpu_begin_us) / microseconds_since(start);
  return {*std::ranges::min_element(times_us), kernel.make_us(), is_steady(times_us, cpu_share)};
}

}  // namespace

Result<Measurement> measure_kernel(const KernelRequest& request,
                                   const KernelImplementation& implementation) {
  EDGEWRIGHT_ASSIGN(KernelRunner kernel, KernelRunner::create(request, implementation));
  Measurement best = timed_runs(kernel);
  for (int attempt = 1; attempt < kMaxAttempts && !best.steady; ++attempt) {
    const Measurement again = timed_runs(kernel);
    // A steady time far above what was seen before was taken on a busy machine too.
    best.steady = again.steady && again.run_us <= kSteadySpread * best.run_us;
    best.run_us = std::min(best.run_us, again.run_us);
  }
  return best;
}

bool is_generated(const KernelImplementation& implementation) {
  return !is_low(implementation) && implementation.name.ends_with(kGenerated);
}

double choice_cost_us(const KernelImplementation& implementation, double run_us, double make_us) {
  return run_us + (is_low(implementation) ? kSetUpShareOfLow : kSetUpShare) * make_us;
}

Result<double> measure(const KernelRequest& request, const KernelImplementation& implementation) {
  EDGEWRIGHT_ASSIGN(const Measurement measured, measure_kernel(request, implementation));
  return measured.run_us;
}

Result<KernelTimes> Autotuner::times_of(const KernelRequest& request,
                                        const KernelImplementation& implementation) {
  const std::string key = timing_key(request, implementation);
  if (const auto known = cache_.find(key)) return *known;
  EDGEWRIGHT_ASSIGN(const Measurement measured, measure_kernel(request, implementation));
  ++measured_;
  const KernelTimes times{measured.run_us, measured.make_us};
  if (measured.steady) cache_.put(key, times);
  return times;
}

Result<const KernelImplementation*> Autotuner::choose(
    const KernelRequest& request, std::span<const KernelImplementation* const> candidates) {
  if (candidates.size() == 1) return candidates[0];
  struct Best {
    const KernelImplementation* implementation = nullptr;
    KernelTimes times;
    double cost_us = 0;
  };
  Best generated, compiled;
  for (const KernelImplementation* candidate : candidates) {
    if (without_generated_ && is_generated(*candidate)) continue;
    // An implementation that cannot be made here is no choice; the others still are.
    const auto times = times_of(request, *candidate);
    if (!times.ok()) continue;
    Best& best = is_generated(*candidate) ? generated : compiled;
    const double cost_us = choice_cost_us(*candidate, times->run_us, times->make_us);
    if (best.implementation == nullptr || cost_us < best.cost_us) {
      best = {candidate, *times, cost_us};
    }
  }
  if (generated.implementation == nullptr && compiled.implementation == nullptr) {
    return candidates[0];
  }
  if (generated.implementation == nullptr) return compiled.implementation;
  if (compiled.implementation == nullptr) return generated.implementation;
  if (compiled.cost_us <= generated.cost_us) return compiled.implementation;
  generated_make_us_ += generated.times.make_us - compiled.times.make_us;
  generated_gain_us_ += compiled.times.run_us - generated.times.run_us;
  return generated.implementation;
}

bool Autotuner::reconsider() {
  const bool again = !without_generated_ && generated_gain_us_ > 0 &&
                     generated_gain_us_ < kSetUpShare * (kGeneratorStartUs + generated_make_us_);
  generated_make_us_ = generated_gain_us_ = 0;
  without_generated_ = again;
  return again;
}

}  // namespace edgewright
