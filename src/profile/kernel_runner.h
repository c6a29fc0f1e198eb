#pragma once

#include <memory>
#include <vector>

#include "runtime/autotune.h"

namespace edgewright {

// One kernel with memory of its own, to run by itself as often as wanted.
class KernelRunner {
 public:
  // The constants of the request are used, other operands hold made-up numbers.
  static Result<KernelRunner> create(const KernelRequest& request,
                                     const KernelImplementation& implementation);
  void run();

 private:
  KernelRunner() = default;
  Result<std::byte*> memory_of(const TensorSpec& spec);

  std::unique_ptr<PreparedKernel> kernel_;
  std::unique_ptr<ThreadPool> pool_;
  Tensor packed_, scratch_;
  std::vector<Tensor> memory_;
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
};

}  // namespace edgewright
