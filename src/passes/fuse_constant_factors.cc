// Before: (x * a) * b, (x * a) / b, (x / a) / b, (x + a) + b, (x + a) - b ...
// After: x * c or x + c with one constant.
// Conditions: floating-point constants, one of which broadcasts to the other; the inner result is
// used here only. Sums only where |a + b| is not below |a| and |b|, so that nothing cancels;
// products only where the constant stays finite and normal. Exact up to rounding.
#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// x op constant, as x * factor or x + addend.
struct Step {
  bool product = false;
  bool inverse = false;  // Div, Sub
  size_t data = 0;       // index of the input x
  const Tensor* constant = nullptr;
};

std::optional<Step> step_of(const Node& node) {
  if (node.domain != "" || node.inputs.size() != 2) return std::nullopt;
  Step step;
  step.product = node.op == "Mul" || node.op == "Div";
  step.inverse = node.op == "Div" || node.op == "Sub";
  if (!step.product && node.op != "Add" && node.op != "Sub") return std::nullopt;
  step.data = !step.inverse && node.constant_input(0) != nullptr ? 1 : 0;
  step.constant = node.constant_input(1 - step.data);
  if (step.constant == nullptr || node.constant_input(step.data) != nullptr) return std::nullopt;
  return step;
}

double signed_constant(const Step& step, double constant) {
  if (!step.inverse) return constant;
  return step.product ? 1 / constant : -constant;
}

// Which element of a tensor that broadcasts to these dimensions stands at a position.
size_t source_index(size_t position, const Dims& dims, const Tensor& tensor) {
  size_t index = 0, stride = 1;
  for (size_t back = 0; back < dims.size(); ++back) {
    const auto dim = static_cast<size_t>(dims[dims.size() - 1 - back]);
    const size_t here = position % dim;
    position /= dim;
    if (back >= tensor.rank()) continue;
    const auto own = static_cast<size_t>(tensor.dim(tensor.rank() - 1 - back));
    if (own != 1) index += here * stride;
    stride *= own;
  }
  return index;
}

bool broadcasts_to(const Tensor& tensor, const Dims& dims) {
  if (tensor.rank() > dims.size()) return false;
  for (size_t back = 0; back < tensor.rank(); ++back) {
    const int64_t dim = tensor.dim(tensor.rank() - 1 - back);
    if (dim != 1 && dim != dims[dims.size() - 1 - back]) return false;
  }
  return true;
}

bool harmless(bool product, double a, double b, double combined, DType dtype) {
  if (!std::isfinite(combined)) return false;
  if (!product) return std::abs(combined) >= std::max(std::abs(a), std::abs(b));
  if (combined == 0) return a == 0 || b == 0;
  const bool half = dtype == DType::kFloat16;
  const double smallest = half ? 6.2e-5 : std::numeric_limits<float>::min();
  const double largest = half ? 6.5e4 : std::numeric_limits<float>::max();
  return std::abs(combined) >= smallest && std::abs(combined) <= largest;
}

// The combined constant, or an empty tensor where it would not be harmless.
Result<Tensor> combined(const Step& inner, const Step& outer) {
  const bool inner_larger = broadcasts_to(*outer.constant, inner.constant->dims());
  const Tensor& shape = inner_larger ? *inner.constant : *outer.constant;
  if (!inner_larger && !broadcasts_to(*inner.constant, shape.dims())) return Tensor();
  const auto a = float_elements(*inner.constant), b = float_elements(*outer.constant);
  if (!a || !b || shape.dtype() != inner.constant->dtype()) return Tensor();
  std::vector<double> result(static_cast<size_t>(shape.element_count()));
  for (size_t i = 0; i < result.size(); ++i) {
    const double x = signed_constant(inner, (*a)[source_index(i, shape.dims(), *inner.constant)]);
    const double y = signed_constant(outer, (*b)[source_index(i, shape.dims(), *outer.constant)]);
    result[i] = inner.product ? x * y : x + y;
    if (!harmless(inner.product, x, y, result[i], shape.dtype())) return Tensor();
  }
  return float_tensor(shape.dtype(), shape.dims(), result);
}

}  // namespace

Result<bool> fuse_constant_factors(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    const auto outer = step_of(node);
    if (!outer || !has_single_use(node.input(outer->data))) return false;
    const Node* previous = node.inputs[outer->data]->producer;
    if (previous == nullptr || previous->graph != &owner) return false;
    const auto inner = step_of(*previous);
    if (!inner || inner->product != outer->product) return false;
    EDGEWRIGHT_ASSIGN(Tensor constant, combined(*inner, *outer));
    if (constant.empty_handle() || !context.allow(node)) return false;
    Value* factor = owner.add_constant(node.outputs[0]->name + "_constant", std::move(constant));
    replace_node(context, &node, inner->product ? "Mul" : "Add",
                 {previous->inputs[inner->data], factor});
    return true;
  });
}

}  // namespace edgewright
