#include "kernels/each_target.h"

#include "kernels/simd_targets.h"

#include "hwy/highway.h"

namespace edgewright {

void for_each_target(FunctionRef<void(const char* name)> function) {
  // Kernels on integers are compiled for the dot products of AVX-512 instead of plain AVX-512.
  const int64_t dot_products = hwy::SupportedTargets() & HWY_AVX3_DL;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target == HWY_AVX3 ? target | dot_products : target);
    function(hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace edgewright
