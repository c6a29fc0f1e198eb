// Min, Max, Sum and Mean of any number of operands with NumPy broadcasting.
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/elementwise.h"

namespace edgewright {
namespace {

using namespace reference;

Result<std::vector<const Tensor*>> operands_of(const OpCall& call) {
  std::vector<const Tensor*> operands;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    EDGEWRIGHT_ASSIGN(const Tensor* operand, call.tensor(i));
    if (!operands.empty()) EDGEWRIGHT_TRY(same_type(call, *operands[0], *operand));
    operands.push_back(operand);
  }
  if (operands.empty()) return bad_input("{}: no operands", call.op);
  return operands;
}

// to = op(to, operand), the operand broadcast.
template <class T, class Op>
Status fold_in(Tensor& to, const Tensor& operand, Op op) {
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make({&to, &operand}));
  T* target = to.mutable_data<T>();
  map_broadcast(plan, target, operand.data<T>(), target, op);
  return {};
}

template <class Types, class Op>
Status fold(OpCall& call, Op op, double scale = 1) {
  EDGEWRIGHT_ASSIGN(const auto operands, operands_of(call));
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make(operands));
  const DType dtype = operands[0]->dtype();
  return dispatch<Types>(call, dtype, [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, dtype, plan.dims()));
    EDGEWRIGHT_TRY(fold_in<T>(*out, *operands[0], [](T, T x) { return x; }));
    for (size_t i = 1; i < operands.size(); ++i) {
      EDGEWRIGHT_TRY(fold_in<T>(*out, *operands[i],
                                [&](T x, T y) { return static_cast<T>(op(widen(x), widen(y))); }));
    }
    if (scale == 1) return {};
    map_elements(out->data<T>(), out->mutable_data<T>(), out->element_count(),
                 [&](T x) { return static_cast<T>(static_cast<Compute<T>>(widen(x) * scale)); });
    return {};
  });
}

// A NaN in either operand is the answer.
template <class T>
bool is_nan(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::isnan(value);
  } else {
    return false;
  }
}

Status min(OpCall& call) {
  return fold<Numbers>(call, [](auto a, auto b) { return is_nan(a) || a < b ? a : b; });
}
Status max(OpCall& call) {
  return fold<Numbers>(call, [](auto a, auto b) { return is_nan(a) || a > b ? a : b; });
}
Status sum(OpCall& call) {
  return fold<Floats>(call, [](auto a, auto b) { return a + b; });
}
Status mean(OpCall& call) {
  return fold<Floats>(
      call, [](auto a, auto b) { return a + b; }, 1.0 / static_cast<double>(call.inputs.size()));
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Min", min},
    {"", "Max", max},
    {"", "Sum", sum},
    {"", "Mean", mean},
};

}  // namespace

std::span<const ReferenceKernel> variadic_reference_kernels() { return kKernels; }

}  // namespace edgewright
