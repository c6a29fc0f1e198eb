#include "runtime/step_call.h"

namespace edgewright {

StepCall::StepCall(const PlanStep& step, std::span<const Datum> data, std::span<Tensor> results)
    : step_(step),
      results_(results),
      in_place_(step.outputs.size()),
      outputs_(step.outputs.size()) {
  domain = step.domain;
  op = step.op;
  attributes = &step.attributes;
  inputs = data;
  output_count = step.outputs.size();
}

bool StepCall::wants_output(size_t i) const {
  return i < step_.outputs.size() && step_.outputs[i] >= 0;
}

Result<Tensor*> StepCall::make_output(size_t i, DType dtype, Dims dims) {
  const bool has_place = i < results_.size() && !results_[i].empty_handle();
  if (has_place && results_[i].dtype() == dtype && results_[i].dims() == dims) {
    in_place_[i] = true;
    return &results_[i];
  }
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(dtype, std::move(dims)));
  heap_.push_back(std::move(tensor));
  // The kernel writes through the pointer after this; both handles share the storage.
  if (i < outputs_.size()) outputs_[i] = heap_.back();
  return &heap_.back();
}

void StepCall::set_output(size_t i, Datum datum) {
  if (i < outputs_.size()) outputs_[i] = std::move(datum);
}

Result<Tensor*> StepCall::make_scratch(DType dtype, Dims dims) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(dtype, std::move(dims)));
  heap_.push_back(std::move(tensor));
  return &heap_.back();
}

Result<std::optional<Datum>> StepCall::take(size_t i) {
  if (in_place_[i]) return std::optional<Datum>();
  if (outputs_[i].kind() == Datum::Kind::kNone) {
    return internal_error("the kernel of {} made no output {}", op, i);
  }
  return std::optional<Datum>(std::move(outputs_[i]));
}

}  // namespace edgewright
