// Before: Concat(a, Concat(b, c), d), both on one axis.      After: Concat(a, b, c, d).
// Conditions: the inner result is used here only.
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

bool same_axis(const Node& a, const Node& b) {
  const auto rank = rank_of(a.output(0));
  const int64_t p = a.attributes.get_int("axis", 0), q = b.attributes.get_int("axis", 0);
  if (p == q) return true;
  return rank && (p - q == static_cast<int64_t>(*rank) || q - p == static_cast<int64_t>(*rank));
}

}  // namespace

Result<bool> fuse_concats(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Concat", [&](Graph& owner, Node& node) -> Result<bool> {
    std::vector<Value*> inputs;
    bool found = false;
    for (Value* input : node.inputs) {
      const Node* inner = producer(input, "Concat");
      const bool fits = inner != nullptr && inner->graph == &owner && has_single_use(input) &&
                        same_axis(node, *inner);
      if (fits) {
        inputs.insert(inputs.end(), inner->inputs.begin(), inner->inputs.end());
        found = true;
      } else {
        inputs.push_back(input);
      }
    }
    if (!found || !context.allow(node)) return false;
    replace_node(context, &node, "Concat", std::move(inputs), node.attributes);
    return true;
  });
}

}  // namespace edgewright
