#include "runtime/autotune.h"

#include <algorithm>
#include <chrono>

#include "base/cpu.h"
#include "base/thread_pool.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// A layer is run until so much time went by or so many runs were made, whichever comes first; the
// median of five runs is steady to a few per cent.
constexpr double kBudgetUs = 4000;
constexpr size_t kMinRuns = 5;
constexpr size_t kMaxRuns = 60;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
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

Result<double> measure(const KernelRequest& request, const KernelImplementation& implementation) {
  KernelRequest at_run = request;
  Tensor packed;
  if (implementation.pack != nullptr) {
    EDGEWRIGHT_ASSIGN(packed, implementation.pack(request));
    for (TensorSpec& input : at_run.inputs) input.constant = nullptr;
  }
  std::span<const std::byte> bytes;
  if (!packed.empty_handle()) bytes = packed.byte_span();
  EDGEWRIGHT_ASSIGN(const auto kernel, implementation.create(at_run, bytes));
  std::vector<Tensor> memory;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  const auto place = [&](const TensorSpec& spec) -> Result<std::byte*> {
    EDGEWRIGHT_ASSIGN(Tensor tensor, made_up(spec));
    memory.push_back(std::move(tensor));
    return memory.back().mutable_bytes();
  };
  for (const TensorSpec& spec : request.inputs) {
    inputs.push_back(nullptr);
    if (spec.dtype == DType::kUndefined) continue;
    if (spec.constant != nullptr) {
      if (implementation.pack == nullptr) inputs.back() = spec.constant->bytes();
      continue;
    }
    EDGEWRIGHT_ASSIGN(inputs.back(), place(spec));
  }
  for (const TensorSpec& spec : request.outputs) {
    outputs.push_back(nullptr);
    if (spec.dtype == DType::kUndefined) continue;
    EDGEWRIGHT_ASSIGN(outputs.back(), place(spec));
  }
  const auto scratch_bytes = static_cast<int64_t>(kernel->scratch_size_bytes());
  EDGEWRIGHT_ASSIGN(Tensor scratch, Tensor::allocate(DType::kUint8, {scratch_bytes}));
  ThreadPool pool(request.threads);
  const KernelIo io{inputs, outputs, scratch.mutable_bytes(), &pool};
  kernel->run(io);
  std::vector<double> times_us;
  const auto start = Clock::now();
  while (times_us.size() < kMinRuns ||
         (times_us.size() < kMaxRuns && microseconds_since(start) < kBudgetUs)) {
    const auto before = Clock::now();
    kernel->run(io);
    times_us.push_back(microseconds_since(before));
  }
  std::ranges::nth_element(times_us, times_us.begin() + std::ssize(times_us) / 2);
  return times_us[times_us.size() / 2];
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
      const auto measured = measure(request, *candidate);
      // An implementation that cannot be made here is no choice; the others still are.
      if (!measured.ok()) continue;
      ++measured_;
      time_us = *measured;
      cache_.put(key, *time_us);
    }
    if (best_us == 0 || *time_us < best_us) {
      best = candidate;
      best_us = *time_us;
    }
  }
  return best;
}

}  // namespace edgewright
