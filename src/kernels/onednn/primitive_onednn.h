#pragma once

#include <vector>

#include "kernels/epilogue.h"
#include "kernels/implementation.h"
#include "oneapi/dnnl/dnnl.hpp"

namespace edgewright {

// oneDNN behind the prepared-kernel contract: one call is one thread (its OpenMP team is kept to
// the caller, so that no second pool spins beside ours), scratch is the plan's, weights are packed
// in the format that oneDNN asks for, which is stored with its size and checked on opening.

const dnnl::engine& onednn_engine();

// Clamp and residual as post-operations; false when the epilogue has another activation.
bool onednn_post_operations(const Epilogue& epilogue, const dnnl::memory::desc* residual,
                            dnnl::post_ops& operations);

// Whether operands may be rounded to bfloat16 (attribute products) and the CPU multiplies them so.
bool takes_bfloat16_products(const KernelRequest& request);

// Which memory of the call an argument of the primitive is.
struct OneDnnArgument {
  int name = 0;  // DNNL_ARG_*
  dnnl::memory::desc desc;
  enum class From { kInput, kOutput, kPacked, kScratch } from = From::kInput;
  size_t index = 0;  // input or output number, or byte offset in the packed data
};

class OneDnnPrimitive : public PreparedKernel {
 public:
  OneDnnPrimitive(dnnl::primitive primitive, std::vector<OneDnnArgument> arguments,
                  size_t scratch_bytes, PackedBytes packed);
  size_t scratch_size_bytes() const override { return scratch_bytes_; }
  void run(const KernelIo& io) const override;

 private:
  dnnl::primitive primitive_;
  std::vector<OneDnnArgument> arguments_;
  size_t scratch_bytes_;
  PackedBytes packed_;
};

// Copies `plain` (row-major, as `from` says) into the format of `to`.
void onednn_reorder(const dnnl::memory::desc& from, const float* plain,
                    const dnnl::memory::desc& to, void* out);

}  // namespace edgewright
