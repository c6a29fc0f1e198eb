#pragma once

#include <deque>
#include <vector>

#include "kernels/kernel.h"

namespace edgewright {

// Runs another reference kernel from inside one: the specification of a fused operator is the chain
// of operators that it stands for.
class InnerCall : public OpCall {
 public:
  // One tensor output; kUnsupported when the operator has no reference kernel.
  static Result<Tensor> run(std::string_view op, const Attributes& attributes,
                            std::vector<Datum> inputs);

  bool wants_output(size_t i) const override { return i == 0; }
  Result<Tensor*> make_output(size_t i, DType dtype, Dims dims) override;
  void set_output(size_t i, Datum datum) override;
  Result<Tensor*> make_scratch(DType dtype, Dims dims) override;

 private:
  std::vector<Datum> data_;
  Datum output_;
  std::deque<Tensor> tensors_;
};

}  // namespace edgewright
