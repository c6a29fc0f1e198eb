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
  // Puts inputs, outputs and scratch into this memory instead of its own, as a plan
  // does with its arena; at least operand_bytes() long, aligned as tensors are.
  void share(std::span<std::byte> arena);
  // Writes inputs, outputs and scratch: layers before leave all of an arena near.
  void write_operands();
  size_t operand_bytes() const;
  // As the kernel reads them: packed where it packs.
  size_t constant_bytes() const { return constant_bytes_; }
  // What making the kernel took, without packing.
  double make_us() const { return make_us_; }

 private:
  KernelRunner() = default;
  struct Operand {
    size_t index = 0;  // among inputs or outputs
    enum { kInput, kOutput, kScratch } role = kInput;
    bool is_float = false;
    size_t size_bytes = 0;
    std::byte* place = nullptr;
  };
  Result<std::byte*> memory_of(const Operand& operand);

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
