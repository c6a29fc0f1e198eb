// Before: y = x + 0, x - 0, x * 1, x / 1, x ^ 1, x and true, x or false, where(true, x, _).
// After: x in place of y.
// Conditions: the other operand does not enlarge the shape. A floating-point x + 0 turns -0 into 0
// and is kept, x + -0 is x.
#include <algorithm>
#include <array>
#include <cmath>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

struct Rule {
  std::string_view op;
  double neutral;
  bool either_side;
};
constexpr Rule kRules[] = {
    {"Add", 0, true},        {"Sub", 0, false}, {"Mul", 1, true}, {"Div", 1, false},
    {"Pow", 1, false},       {"And", 1, true},  {"Or", 0, true},  {"BitwiseOr", 0, true},
    {"BitwiseXor", 0, true}, {"Xor", 0, true},
};

// Larger constants are hardly neutral and cost time to look at.
constexpr int64_t kMaxElements = 1 << 16;

bool filled_with(const Tensor& tensor, double number) {
  const DType dtype = tensor.dtype();
  const bool numeric = is_floating_point(dtype) || is_integer(dtype) || dtype == DType::kBool;
  if (!numeric || tensor.element_count() > kMaxElements || tensor.element_count() == 0)
    return false;
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    if (load_double(dtype, tensor.bytes(), i) != number) return false;
  }
  return true;
}

// Adding a positive zero is no identity: it changes the sign of -0.
bool turns_sign(const Node& node, const Tensor& zeros) {
  if (node.op != "Add" || !is_floating_point(zeros.dtype())) return false;
  for (int64_t i = 0; i < zeros.element_count(); ++i) {
    if (!std::signbit(load_double(zeros.dtype(), zeros.bytes(), i))) return true;
  }
  return false;
}

bool keeps_shape(const Value* kept, const Value* other, const Value* output) {
  const auto rank = rank_of(kept);
  if (rank && other->constant->element_count() == 1 && other->constant->rank() <= *rank)
    return true;
  return same_shape(kept, output);
}

// The operand that passes through, or null.
Value* passing_operand(const Node& node) {
  if (node.is("Where")) {
    const Tensor* condition = node.constant_input(0);
    if (condition == nullptr) return nullptr;
    const size_t taken = filled_with(*condition, 1) ? 1 : filled_with(*condition, 0) ? 2 : 0;
    return taken > 0 && same_shape(node.input(taken), node.output(0)) ? node.input(taken) : nullptr;
  }
  const auto rule = std::ranges::find(kRules, node.op, &Rule::op);
  if (rule == std::end(kRules) || node.inputs.size() != 2) return nullptr;
  for (const size_t side : {size_t{1}, size_t{0}}) {
    if (side == 0 && !rule->either_side) break;
    const Tensor* constant = node.constant_input(side);
    Value* kept = node.input(1 - side);
    if (constant == nullptr || !filled_with(*constant, rule->neutral)) continue;
    if (turns_sign(node, *constant)) continue;
    if (keeps_shape(kept, node.input(side), node.output(0))) return kept;
  }
  return nullptr;
}

}  // namespace

Result<bool> eliminate_neutral_operand(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph&, Node& node) -> Result<bool> {
    if (node.domain != "") return false;
    Value* kept = passing_operand(node);
    if (kept == nullptr || !can_replace(node.outputs[0], kept)) return false;
    if (!context.allow(node)) return false;
    replace_value(node.outputs[0], kept);
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
