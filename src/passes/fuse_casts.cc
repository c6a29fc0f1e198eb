// Before: Cast(Cast(x, to = a), to = b).      After: Cast(x, to = b).
// Conditions: type a holds every value of x's type exactly, so that the first cast loses nothing.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

struct Range {
  int mantissa_bits;  // of integers: value bits
  int exponent_bits;  // 0: integer
  bool is_signed;
};

std::optional<Range> range_of(DType dtype) {
  switch (dtype) {
    case DType::kBool: return Range{1, 0, false};
    case DType::kFloat16: return Range{11, 5, true};
    case DType::kBfloat16: return Range{8, 8, true};
    case DType::kFloat32: return Range{24, 8, true};
    case DType::kFloat64: return Range{53, 11, true};
    default: break;
  }
  if (!is_integer(dtype)) return std::nullopt;
  const int sign = is_signed(dtype) ? 1 : 0;
  return Range{dtype_bits(dtype) - sign, 0, sign == 1};
}

bool holds_all(DType wide, DType narrow) {
  const auto w = range_of(wide), n = range_of(narrow);
  if (!w || !n || (n->is_signed && !w->is_signed)) return false;
  if (w->mantissa_bits < n->mantissa_bits || wide == DType::kBool) return false;
  // Integers of up to 24 bits fit the exponents of float32 and float64 but not always float16's.
  if (n->exponent_bits == 0)
    return w->exponent_bits == 0 || n->mantissa_bits <= 11 || w->exponent_bits >= 8;
  return w->exponent_bits >= n->exponent_bits;
}

}  // namespace

Result<bool> fuse_casts(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Cast", [&](Graph& owner, Node& node) -> Result<bool> {
    const Node* inner = producer(node.input(0), "Cast");
    if (inner == nullptr || inner->graph != &owner) return false;
    if (!holds_all(dtype_of(inner->output(0)), dtype_of(inner->input(0)))) return false;
    if (!context.allow(node)) return false;
    Node* old = node.inputs[0]->producer;
    owner.set_input(&node, 0, inner->input(0));
    erase_if_dead(old);
    return true;
  });
}

}  // namespace edgewright
