// Before: f(f(x)) for an f that is its own inverse (Neg, Not, BitwiseNot) or idempotent (Relu, Abs,
// Ceil, Floor, Round, Sign).        After: x, or f(x).
#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

struct Rule {
  std::string_view op;
  bool is_own_inverse;
};
constexpr Rule kRules[] = {{"Neg", true},    {"Not", true},    {"BitwiseNot", true},
                           {"Relu", false},  {"Abs", false},   {"Ceil", false},
                           {"Floor", false}, {"Round", false}, {"Sign", false}};

}  // namespace

Result<bool> eliminate_repeated(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph&, Node& node) -> Result<bool> {
    const auto rule = std::ranges::find(kRules, node.op, &Rule::op);
    if (rule == std::end(kRules) || node.domain != "") return false;
    const Node* inner = producer(node.input(0), node.op);
    if (inner == nullptr) return false;
    Value* kept = rule->is_own_inverse ? inner->input(0) : inner->output(0);
    if (!can_replace(node.outputs[0], kept) || !context.allow(node)) return false;
    replace_value(node.outputs[0], kept);
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
