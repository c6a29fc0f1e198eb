#include "profile/step_request.h"

namespace edgewright {
namespace {

// A constant in place of one that the plan dropped when it was packed: times do not depend on its
// values.
Result<Tensor> made_up(DType dtype, const Dims& dims) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(dtype, dims));
  if (dtype != DType::kFloat32) return tensor;
  auto* numbers = tensor.mutable_data<float>();
  for (int64_t i = 0; i < tensor.element_count(); ++i) numbers[i] = 0.01F;
  return tensor;
}

}  // namespace

KernelRequest full_request(const Plan& plan, const PlanStep& step, std::vector<Tensor>& kept) {
  KernelRequest request = request_of(plan, step);
  kept.clear();
  kept.reserve(step.inputs.size() + 1);  // the request points at them; lengthen_sums() adds one
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (step.inputs[i] < 0) continue;
    const PlanValue& value = plan.values[static_cast<size_t>(step.inputs[i])];
    if (value.storage != Storage::kConstant) continue;
    const bool is_there = value.slot < plan.constants.size() &&
                          !plan.constants[value.slot].empty_handle() &&
                          plan.constants[value.slot].dims() == value.dims;
    if (is_there) {
      request.inputs[i].constant = &plan.constants[value.slot];
    } else if (auto tensor = made_up(value.dtype, value.dims); tensor.ok()) {
      kept.push_back(*std::move(tensor));
      request.inputs[i].constant = &kept.back();
    }
  }
  return request;
}

bool lengthen_sums(KernelRequest& request, std::vector<Tensor>& kept) {
  if (request.op != "MatMul" || request.inputs.size() < 2) return false;
  Dims &left = request.inputs[0].dims, &right = request.inputs[1].dims;
  if (left.size() < 2 || right.size() != 2 || left.back() != right[0]) return false;
  left.back() *= 2;
  right[0] *= 2;
  TensorSpec& matrix = request.inputs[1];
  if (matrix.constant == nullptr) return true;
  auto tensor = made_up(matrix.dtype, right);
  if (!tensor.ok()) return false;
  kept.push_back(*std::move(tensor));
  matrix.constant = &kept.back();
  return true;
}

bool scale_batch(KernelRequest& request, int64_t factor) {
  if (request.outputs.empty() || request.outputs[0].dims.size() < 2) return false;
  const int64_t batch = request.outputs[0].dims[0];
  const size_t rank = request.outputs[0].dims.size();
  // All samples share it, although [1, 1, n] looks like a batch of one.
  const TensorSpec* const bias =
      (request.op == "MatMul" || request.op == "Gemm") && request.inputs.size() > 2
          ? &request.inputs[2]
          : nullptr;
  for (auto* specs : {&request.inputs, &request.outputs}) {
    for (TensorSpec& spec : *specs) {
      if (&spec == bias || spec.dtype == DType::kUndefined || spec.constant != nullptr) continue;
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
