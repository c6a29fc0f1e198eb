#pragma once

#include <vector>

#include "runtime/plan.h"

namespace edgewright {

// The step's request as the compiler made it, constants included. Plans drop constants that were
// packed; those are made up, and `kept` holds them for as long as the request is used.
KernelRequest full_request(const Plan& plan, const PlanStep& step, std::vector<Tensor>& kept);

// Makes the sums of a product with one matrix twice as long; `kept` as above, of the same request.
// False for everything else.
bool lengthen_sums(KernelRequest& request, std::vector<Tensor>& kept);

// Makes the first dimension of everything that has the batch in it `factor` times as large. False
// where that makes no sense: no batch, or an operand without it that is no constant.
bool scale_batch(KernelRequest& request, int64_t factor);

}  // namespace edgewright
