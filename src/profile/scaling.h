#pragma once

#include <span>

#include "edgewright/profile.h"
#include "runtime/plan.h"

namespace edgewright {

// What changes for every operator at once.
struct Change {
  int threads = 0;    // 0: as the plan has it
  int64_t batch = 1;  // the first dimension becomes so many times as large
};

// Time of one inference after the change, from trying the kernels of the operators that take most
// of it, each distinct one once, alone; what they wait for in the run beyond
// that is for their weights and their data, of which the latter grow with the batch. Operators that
// are not tried (those below `smallest_share`, and those without a kernel) are taken to scale like
// the rest of their kind, and like the batch where none was tried.
Result<double> predict_change(const Plan& plan, std::span<const ProfiledOperator> operators,
                              double overhead_us, const Change& change, double smallest_share);

}  // namespace edgewright
