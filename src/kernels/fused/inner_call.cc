#include "kernels/fused/inner_call.h"

namespace edgewright {

Result<Tensor> InnerCall::run(std::string_view op, const Attributes& attributes,
                              std::vector<Datum> inputs) {
  const ReferenceKernel* kernel = find_reference_kernel("", op);
  if (kernel == nullptr) return unsupported("no kernel for operator {}", op);
  InnerCall call;
  call.data_ = std::move(inputs);
  call.op = op;
  call.attributes = &attributes;
  call.inputs = call.data_;
  call.output_count = 1;
  EDGEWRIGHT_TRY(kernel->run(call));
  if (!call.output_.is_tensor()) return internal_error("{} made no tensor", op);
  return call.output_.tensor();
}

Result<Tensor*> InnerCall::make_output(size_t i, DType dtype, Dims dims) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(dtype, std::move(dims)));
  tensors_.push_back(std::move(tensor));
  // Both handles share the storage that the kernel fills.
  if (i == 0) output_ = tensors_.back();
  return &tensors_.back();
}

void InnerCall::set_output(size_t i, Datum datum) {
  if (i == 0) output_ = std::move(datum);
}

Result<Tensor*> InnerCall::make_scratch(DType dtype, Dims dims) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(dtype, std::move(dims)));
  tensors_.push_back(std::move(tensor));
  return &tensors_.back();
}

}  // namespace edgewright
