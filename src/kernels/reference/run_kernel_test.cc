#include "kernels/reference/run_kernel.h"

#include <deque>

namespace edgewright::reference {
namespace {

class TestCall : public OpCall {
 public:
  bool wants_output(size_t i) const override { return i < output_count; }
  Result<Tensor*> make_output(size_t i, DType dtype, Dims dims) override {
    EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(dtype, std::move(dims)));
    tensors_.push_back(std::move(tensor));
    if (i >= made_.size()) made_.resize(i + 1, nullptr);
    made_[i] = &tensors_.back();
    return made_[i];
  }
  void set_output(size_t i, Datum datum) override {
    if (i >= given_.size()) given_.resize(i + 1);
    given_[i] = std::move(datum);
  }
  Result<Tensor*> make_scratch(DType dtype, Dims dims) override {
    EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(dtype, std::move(dims)));
    tensors_.push_back(std::move(tensor));
    return &tensors_.back();
  }
  std::vector<Datum> outputs() {
    given_.resize(output_count);
    for (size_t i = 0; i < output_count && i < made_.size(); ++i) {
      if (made_[i] != nullptr) given_[i] = *made_[i];
    }
    return given_;
  }

 private:
  std::deque<Tensor> tensors_;
  std::vector<Tensor*> made_;
  std::vector<Datum> given_;
};

}  // namespace

Result<std::vector<Datum>> run_kernel(std::string_view op, std::vector<Datum> inputs,
                                      Attributes attributes, size_t output_count,
                                      std::string_view domain) {
  const ReferenceKernel* kernel = find_reference_kernel(domain, op);
  if (kernel == nullptr) return unsupported("no reference kernel for {}", op);
  TestCall call;
  call.op = op;
  call.attributes = &attributes;
  call.inputs = inputs;
  call.output_count = output_count;
  EDGEWRIGHT_TRY(kernel->run(call));
  return call.outputs();
}

Result<Tensor> run_tensor(std::string_view op, std::vector<Datum> inputs, Attributes attributes,
                          std::string_view domain) {
  EDGEWRIGHT_ASSIGN(const auto outputs,
                    run_kernel(op, std::move(inputs), std::move(attributes), 1, domain));
  if (!outputs[0].is_tensor()) return bad_input("{} made no tensor", op);
  return outputs[0].tensor();
}

}  // namespace edgewright::reference
