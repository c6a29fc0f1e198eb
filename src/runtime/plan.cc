#include "runtime/plan.h"

namespace edgewright {
namespace {

size_t sum_over_plans(const Plan& plan, size_t Plan::* figure) {
  size_t sum = plan.*figure;
  for (const PlanStep& step : plan.steps) {
    for (const NestedPlan& body : step.bodies) sum += sum_over_plans(*body.plan, figure);
  }
  return sum;
}

}  // namespace

KernelRequest request_of(const Plan& plan, const PlanStep& step) {
  KernelRequest request{step.domain, step.op, &step.attributes, {}, {}, plan.threads};
  const auto spec = [&](int32_t value) {
    return value < 0 ? TensorSpec{} : plan.values[static_cast<size_t>(value)].spec();
  };
  for (const int32_t value : step.inputs) request.inputs.push_back(spec(value));
  for (const int32_t value : step.outputs) request.outputs.push_back(spec(value));
  return request;
}

ValueType type_of(const PlanValue& value) {
  if (value.dtype == DType::kUndefined) return {};
  ValueType type = ValueType::tensor(value.dtype);
  if (!value.has_shape) return type;
  type.shape.emplace();
  for (const int64_t dim : value.dims) type.shape->push_back(dim < 0 ? Dim() : Dim(dim));
  return type;
}

std::vector<ValueType> output_types(const Plan& plan) {
  std::vector<ValueType> types;
  for (const int32_t output : plan.outputs) {
    types.push_back(type_of(plan.values[static_cast<size_t>(output)]));
  }
  return types;
}

size_t total_arena_bytes(const Plan& plan) { return sum_over_plans(plan, &Plan::arena_bytes); }

size_t total_live_set_bytes(const Plan& plan) {
  return sum_over_plans(plan, &Plan::live_set_bytes);
}

}  // namespace edgewright
