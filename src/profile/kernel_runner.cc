#include "profile/kernel_runner.h"

namespace edgewright {

// Floats are filled with a number that makes no denormals.
Result<std::byte*> KernelRunner::memory_of(const TensorSpec& spec) {
  const auto size_bytes = static_cast<int64_t>(stored_size_bytes(spec));
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(DType::kUint8, {size_bytes}));
  if (spec.dtype == DType::kFloat32) {
    auto* values = reinterpret_cast<float*>(tensor.mutable_bytes());
    for (int64_t i = 0; i < size_bytes / 4; ++i) values[i] = 0.25F;
  }
  memory_.push_back(std::move(tensor));
  return memory_.back().mutable_bytes();
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
  }
  EDGEWRIGHT_ASSIGN(runner.kernel_, implementation.create(at_run, packed));
  for (const TensorSpec& spec : request.inputs) {
    runner.inputs_.push_back(nullptr);
    if (spec.dtype == DType::kUndefined) continue;
    if (spec.constant != nullptr) {
      if (implementation.pack == nullptr) runner.inputs_.back() = spec.constant->bytes();
      continue;
    }
    EDGEWRIGHT_ASSIGN(runner.inputs_.back(), runner.memory_of(spec));
  }
  for (const TensorSpec& spec : request.outputs) {
    runner.outputs_.push_back(nullptr);
    if (spec.dtype == DType::kUndefined) continue;
    EDGEWRIGHT_ASSIGN(runner.outputs_.back(), runner.memory_of(spec));
  }
  const auto scratch_bytes = static_cast<int64_t>(runner.kernel_->scratch_size_bytes());
  EDGEWRIGHT_ASSIGN(runner.scratch_, Tensor::allocate(DType::kUint8, {scratch_bytes}));
  runner.pool_ = std::make_unique<ThreadPool>(request.threads);
  return runner;
}

void KernelRunner::run() {
  kernel_->run({inputs_, outputs_, scratch_.mutable_bytes(), pool_.get()});
}

}  // namespace edgewright
