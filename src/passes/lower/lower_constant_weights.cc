// Before: DequantizeLinear of a constant that no integer operator took.
// After: the float constant.
#include "passes/lower/lower.h"

namespace edgewright {

Result<bool> lower_constant_weights(Graph& graph, PassContext& context) {
  return lower_nodes(graph, {"DequantizeLinear"}, [&](Node& node) -> Result<bool> {
    std::vector<const Tensor*> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != nullptr && node.constant_input(i) == nullptr) return false;
      inputs.push_back(node.constant_input(i));
    }
    if (node.outputs.size() != 1 || node.outputs[0]->is_graph_output() || !context.allow(node)) {
      return false;
    }
    EDGEWRIGHT_ASSIGN(auto made, context.evaluator.evaluate(node, inputs));
    Value* constant = node.graph->add_constant(node.outputs[0]->name, std::move(made[0]));
    node.graph->replace_uses(node.outputs[0], constant);
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
