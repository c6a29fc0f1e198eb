#include "profile/step_request.h"

namespace edgewright {

KernelRequest full_request(const Plan& plan, const PlanStep& step) {
  KernelRequest request = request_of(plan, step);
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (step.inputs[i] < 0) continue;
    const PlanValue& value = plan.values[static_cast<size_t>(step.inputs[i])];
    if (value.storage != Storage::kConstant) continue;
    if (value.slot < plan.constants.size())
      request.inputs[i].constant = &plan.constants[value.slot];
  }
  return request;
}

bool scale_batch(KernelRequest& request, int64_t factor) {
  if (request.outputs.empty() || request.outputs[0].dims.size() < 2) return false;
  const int64_t batch = request.outputs[0].dims[0];
  const size_t rank = request.outputs[0].dims.size();
  for (auto* specs : {&request.inputs, &request.outputs}) {
    for (TensorSpec& spec : *specs) {
      if (spec.dtype == DType::kUndefined || spec.constant != nullptr) continue;
      if (spec.dims.size() == rank && spec.dims[0] == batch) {
        spec.dims[0] *= factor;
      } else if (spec.dims.size() >= rank) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace edgewright
