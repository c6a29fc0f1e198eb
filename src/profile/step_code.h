#pragma once

#include "base/progress.h"
#include "edgewright/profile.h"
#include "runtime/plan.h"

namespace edgewright {

// Runs the kernel of every operator over `smallest_share` by itself, samples where it spends its
// time and writes into its row what the instructions of that loop are. Rows of the same kernel on
// the same shapes share one look. Operators without a kernel are left alone.
Status look_at_code(const Plan& plan, double smallest_share,
                    std::vector<ProfiledOperator>& operators, const Progress& progress);

}  // namespace edgewright
