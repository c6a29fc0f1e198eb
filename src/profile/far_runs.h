#pragma once

#include "runtime/kernel_runner.h"

namespace edgewright {

// Loops that only move memory; kernels/probe has them.
struct MoveKernels {
  float (*read)(const float* from, size_t count, int streams, size_t passes) = nullptr;
  void (*write)(float* to, size_t count, bool around, size_t passes) = nullptr;
};

// The loops take whole rounds of this many floats.
inline constexpr size_t kMovedFloats = 1024;

// Memory that other operators would use between two runs of one.
class OtherData {
 public:
  static Result<OtherData> allocate(double most_bytes, const MoveKernels& move);

  // Microseconds of a run when so many other bytes (at most what was allocated) were read since the
  // last one, `after_operands` of them since the operands were written, as operators before would:
  // weights, and operands from further away, are where they are within a model. The mean of the
  // quieter half of some ten runs or more.
  double far_run_us(KernelRunner& kernel, double others_bytes, double after_operands = 0) const;

 private:
  void read(double bytes) const;
  OtherData(Tensor memory, const MoveKernels& move) : memory_(std::move(memory)), move_(move) {}
  Tensor memory_;
  MoveKernels move_;
};

}  // namespace edgewright
