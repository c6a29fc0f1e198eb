#include "runtime/autotune.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "base/cpu.h"
#include "base/thread_pool.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// A layer is run until so much time went by or so many runs were made, whichever comes first.
constexpr double kBudgetUs = 4000;
constexpr size_t kMinRuns = 5;
constexpr size_t kMaxRuns = 60;
constexpr int kMaxAttempts = 4;
// On an idle machine the median of a kernel's times lies within a few per cent of the fastest.
constexpr double kSteadySpread = 1.15;
constexpr double kSteadyCpuShare = 0.9;
// Making a kernel counts as this share of a run: code that is generated whenever a plan is opened
// has to win back what its making costs within twenty runs.
constexpr double kSetUpShare = 0.05;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
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

std::string specs_text(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    if (spec.dtype == DType::kUndefined) {
      text += "_,";
      continue;
    }
    text += fmt::format("{}[{}]{}{},", dtype_name(spec.dtype), dims_text(spec.dims),
                        static_cast<int>(spec.layout), spec.constant != nullptr ? "c" : "");
  }
  return text;
}

// Memory of a spec, filled with a number that takes part in sums without making denormals.
Result<Tensor> made_up(const TensorSpec& spec) {
  const auto size_bytes = static_cast<int64_t>(stored_size_bytes(spec));
  EDGEWRIGHT_ASSIGN(Tensor memory, Tensor::allocate(DType::kUint8, {size_bytes}));
  if (spec.dtype != DType::kFloat32) return memory;
  auto* values = reinterpret_cast<float*>(memory.mutable_bytes());
  for (int64_t i = 0; i < size_bytes / 4; ++i) values[i] = 0.25f;
  return memory;
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

// One implementation with memory for everything that it reads and writes.
class MeasuredKernel {
 public:
  static Result<MeasuredKernel> create(const KernelRequest& request,
                                       const KernelImplementation& implementation) {
    MeasuredKernel made;
    KernelRequest at_run = request;
    if (implementation.pack != nullptr) {
      EDGEWRIGHT_ASSIGN(made.packed_, implementation.pack(request));
      for (TensorSpec& input : at_run.inputs) input.constant = nullptr;
    }
    std::span<const std::byte> bytes;
    if (!made.packed_.empty_handle()) bytes = made.packed_.byte_span();
    const auto start = Clock::now();
    EDGEWRIGHT_ASSIGN(made.kernel_, implementation.create(at_run, bytes));
    made.create_us_ = microseconds_since(start);
    const bool reads_constants = implementation.pack == nullptr;
    for (const TensorSpec& spec : request.inputs) {
      const bool absent = spec.dtype == DType::kUndefined;
      if (absent || spec.constant != nullptr) {
        made.inputs_.push_back(!absent && reads_constants ? spec.constant->bytes() : nullptr);
        continue;
      }
      EDGEWRIGHT_ASSIGN(const std::byte* place, made.place(spec));
      made.inputs_.push_back(place);
    }
    for (const TensorSpec& spec : request.outputs) {
      made.outputs_.push_back(nullptr);
      if (spec.dtype == DType::kUndefined) continue;
      EDGEWRIGHT_ASSIGN(made.outputs_.back(), made.place(spec));
    }
    const auto scratch_bytes = static_cast<int64_t>(made.kernel_->scratch_size_bytes());
    EDGEWRIGHT_ASSIGN(made.scratch_, Tensor::allocate(DType::kUint8, {scratch_bytes}));
    return made;
  }

  // A first run, not counted, then as many as the budget holds.
  Measurement run(ThreadPool& pool) {
    const KernelIo io{inputs_, outputs_, scratch_.mutable_bytes(), &pool};
    kernel_->run(io);
    std::vector<double> times_us;
    const double cpu_begin_us = thread_cpu_us();
    const auto start = Clock::now();
    while (times_us.size() < kMinRuns ||
           (times_us.size() < kMaxRuns && microseconds_since(start) < kBudgetUs)) {
      const auto before = Clock::now();
      kernel_->run(io);
      times_us.push_back(microseconds_since(before));
    }
    const double cpu_share = (thread_cpu_us() - cpu_begin_us) / microseconds_since(start);
    return {*std::ranges::min_element(times_us), create_us_, is_steady(times_us, cpu_share)};
  }

 private:
  Result<std::byte*> place(const TensorSpec& spec) {
    EDGEWRIGHT_ASSIGN(Tensor tensor, made_up(spec));
    memory_.push_back(std::move(tensor));
    return memory_.back().mutable_bytes();
  }

  Tensor packed_, scratch_;
  std::unique_ptr<PreparedKernel> kernel_;
  double create_us_ = 0;
  std::vector<Tensor> memory_;
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
};

}  // namespace

Result<Measurement> measure_kernel(const KernelRequest& request,
                                   const KernelImplementation& implementation) {
  EDGEWRIGHT_ASSIGN(MeasuredKernel kernel, MeasuredKernel::create(request, implementation));
  ThreadPool pool(request.threads);
  Measurement best = kernel.run(pool);
  for (int attempt = 1; attempt < kMaxAttempts && !best.steady; ++attempt) {
    const Measurement again = kernel.run(pool);
    // A steady time far above what was seen before was taken on a busy machine too.
    best.steady = again.steady && again.run_us <= kSteadySpread * best.run_us;
    best.run_us = std::min(best.run_us, again.run_us);
  }
  return best;
}

Result<double> measure(const KernelRequest& request, const KernelImplementation& implementation) {
  EDGEWRIGHT_ASSIGN(const Measurement measured, measure_kernel(request, implementation));
  return measured.run_us;
}

Result<const KernelImplementation*> Autotuner::choose(
    const KernelRequest& request, std::span<const KernelImplementation* const> candidates) {
  if (candidates.size() == 1) return candidates[0];
  const KernelImplementation* best = candidates[0];
  double best_us = 0;
  for (const KernelImplementation* candidate : candidates) {
    const std::string key = timing_key(request, *candidate);
    std::optional<double> time_us = cache_.find(key);
    if (!time_us.has_value()) {
      const auto measured = measure_kernel(request, *candidate);
      // An implementation that cannot be made here is no choice; the others still are.
      if (!measured.ok()) continue;
      ++measured_;
      time_us = measured->run_us + kSetUpShare * measured->make_us;
      if (measured->steady) cache_.put(key, *time_us);
    }
    if (best_us == 0 || *time_us < best_us) {
      best = candidate;
      best_us = *time_us;
    }
  }
  return best;
}

}  // namespace edgewright
