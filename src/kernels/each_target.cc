#include "kernels/each_target.h"

#include "kernels/simd_targets.h"

#include "hwy/highway.h"

namespace edgewright {

void for_each_target(FunctionRef<void(const char* name)> function) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    function(hwy::TargetName(target));
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace edgewright
