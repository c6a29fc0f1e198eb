#include "runtime/kernel_runner.h"

#include <algorithm>

#include "base/clock.h"

namespace edgewright {

namespace {

// Floats are filled with a number that makes no denormals.
void fill(std::byte* memory, size_t size_bytes, bool is_float) {
  if (is_float) {
    std::fill_n(reinterpret_cast<float*>(memory), size_bytes / sizeof(float), 0.25F);
  } else {
    std::fill_n(memory, size_bytes, std::byte{0});
  }
}

}  // namespace

Result<std::byte*> KernelRunner::memory_of(bool is_float, size_t size_bytes) {
  EDGEWRIGHT_ASSIGN(Tensor tensor,
                    Tensor::allocate(DType::kUint8, {static_cast<int64_t>(size_bytes)}));
  memory_.push_back(std::move(tensor));
  operands_.push_back({is_float, size_bytes, memory_.back().mutable_bytes()});
  const Operand& made = operands_.back();
  fill(made.place, made.size_bytes, made.is_float);
  return made.place;
}

Result<KernelRunner> KernelRunner::create(const KernelRequest& request,
                                          const KernelImplementation& implementation) {
  KernelRunner runner;
  KernelRequest at_run = request;
  std::span<const std::byte> packed;
  if (implementation.pack != nullptr) {
    EDGEWRIGHT_ASSIGN(runner.packed_, implementation.pack(request));
    for (TensorSpec& input : at_run.inputs) input.constant = nullptr;
    if (!runner.packed_.empty_handle()) packed = runner.packed_.byte_span();
    runner.constant_bytes_ = packed.size();
  }
  const auto start = std::chrono::steady_clock::now();
  EDGEWRIGHT_ASSIGN(runner.kernel_, implementation.create(at_run, packed));
  runner.make_us_ = microseconds_since(start);
  const auto place_of = [&](const TensorSpec& spec) {
    return runner.memory_of(spec.dtype == DType::kFloat32, stored_size_bytes(spec));
  };
  for (const TensorSpec& spec : request.inputs) {
    runner.inputs_.push_back(nullptr);
    if (spec.dtype == DType::kUndefined) continue;
    if (spec.constant != nullptr) {
      if (implementation.pack == nullptr) {
        runner.inputs_.back() = spec.constant->bytes();
        runner.constant_bytes_ += spec.constant->size_bytes();
      }
      continue;
    }
    EDGEWRIGHT_ASSIGN(runner.inputs_.back(), place_of(spec));
  }
  for (const TensorSpec& spec : request.outputs) {
    runner.outputs_.push_back(nullptr);
    if (spec.dtype == DType::kUndefined) continue;
    EDGEWRIGHT_ASSIGN(runner.outputs_.back(), place_of(spec));
  }
  EDGEWRIGHT_ASSIGN(runner.scratch_, runner.memory_of(true, runner.kernel_->scratch_size_bytes()));
  runner.pool_ = std::make_unique<ThreadPool>(request.threads);
  return runner;
}

void KernelRunner::run() { kernel_->run({inputs_, outputs_, scratch_, pool_.get()}); }

void KernelRunner::write_operands() {
  for (const Operand& operand : operands_)
    fill(operand.place, operand.size_bytes, operand.is_float);
}

}  // namespace edgewright
