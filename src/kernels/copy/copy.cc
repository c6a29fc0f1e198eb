// Copies of whole tensors: what remains of Identity, Reshape and their kind in a plan.
#include <cstring>

#include "kernels/families.h"

namespace edgewright {
namespace {

class Copy : public PreparedKernel {
 public:
  explicit Copy(size_t size_bytes) : size_bytes_(size_bytes) {}
  void run(const KernelIo& io) const override {
    if (size_bytes_ > 0) std::memcpy(io.outputs[0], io.inputs[0], size_bytes_);
  }

 private:
  size_t size_bytes_;
};

bool supports(const KernelRequest& request) {
  return request.inputs[0].dtype == request.outputs[0].dtype &&
         request.inputs[0].dtype != DType::kString &&
         stored_size_bytes(request.inputs[0]) == stored_size_bytes(request.outputs[0]);
}

Result<std::unique_ptr<PreparedKernel>> create(const KernelRequest& request,
                                               std::span<const std::byte>) {
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<Copy>(stored_size_bytes(request.outputs[0])));
}

constexpr KernelImplementation kImplementations[] = {
    {"copy", "", "Identity", supports, nullptr, create},
    {"copy_reshape", "", "Reshape", supports, nullptr, create},
    {"copy_flatten", "", "Flatten", supports, nullptr, create},
    {"copy_squeeze", "", "Squeeze", supports, nullptr, create},
    {"copy_unsqueeze", "", "Unsqueeze", supports, nullptr, create},
};

}  // namespace

std::span<const KernelImplementation> copy_implementations() { return kImplementations; }

}  // namespace edgewright
