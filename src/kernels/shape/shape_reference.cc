// Operators that only change how elements are arranged or described.
#include "kernels/families.h"

namespace edgewright {
namespace {

Status identity(OpCall& call) {
  if (!call.has_input(0)) return bad_input("input 0 of {} is missing", call.op);
  call.set_output(0, call.inputs[0]);
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Identity", identity},
};

}  // namespace

std::span<const ReferenceKernel> shape_reference_kernels() { return kKernels; }

}  // namespace edgewright
