#pragma once

#include <deque>
#include <optional>

#include "runtime/plan.h"
#include "tensor/datum.h"

namespace edgewright {

// A call of a reference kernel by a step: outputs with a fixed place are made there, others on the
// heap.
class StepCall : public OpCall {
 public:
  // `results` holds a tensor over the place of every static output, an empty handle for others.
  StepCall(const PlanStep& step, std::span<const Datum> data, std::span<Tensor> results);

  bool wants_output(size_t i) const override;
  Result<Tensor*> make_output(size_t i, DType dtype, Dims dims) override;
  void set_output(size_t i, Datum datum) override;
  Result<Tensor*> make_scratch(DType dtype, Dims dims) override;

  // Output i as the kernel left it; nothing when it was made in its place already. Fails when the
  // kernel made none.
  Result<std::optional<Datum>> take(size_t i);

 private:
  const PlanStep& step_;
  std::span<Tensor> results_;
  std::vector<bool> in_place_;
  std::deque<Datum> outputs_;
  std::deque<Tensor> heap_;
};

}  // namespace edgewright
