#pragma once

#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "runtime/compile.h"

namespace edgewright {

// One kernel with memory of its own, to run by itself as often as wanted.
class KernelRunner {
 public:
  // The constants of the request are used, other operands hold made-up numbers.
  static Result<KernelRunner> create(const KernelRequest& request,
                                     const KernelImplementation& implementation);
  void run();
  // Writes inputs, outputs and scratch: layers before leave all of them near.
  void write_operands();
  // As the kernel reads them: packed where it packs.
  size_t constant_bytes() const { return constant_bytes_; }
  // What making the kernel took, without packing.
  double make_us() const { return make_us_; }

 private:
  KernelRunner() = default;
  struct Operand {
    bool is_float = false;
    size_t size_bytes = 0;
    std::byte* place = nullptr;
  };
  Result<std::byte*> memory_of(bool is_float, size_t size_bytes);

  std::unique_ptr<PreparedKernel> kernel_;
  std::unique_ptr<ThreadPool> pool_;
  Tensor packed_;
  size_t constant_bytes_ = 0;
  double make_us_ = 0;
  std::byte* scratch_ = nullptr;
  std::vector<Tensor> memory_;
  std::vector<Operand> operands_;
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
};

}  // namespace edgewright
