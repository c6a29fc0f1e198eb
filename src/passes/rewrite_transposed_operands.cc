// Before: an element-wise operator of transposed operands, Op(Transpose(a), Transpose(b), c).
// After: Transpose(Op(a, b, c')), c' the constant transposed back.
// Conditions: all operands but constants are transposed alike and used here only. With one
// transposed operand only where the Transpose then meets its inverse, or another like it, behind
// operators of this kind: otherwise nothing is gained.
#include <algorithm>
#include <array>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

constexpr std::array<std::string_view, 40> kElementwise = {
    "Add",   "Sub",         "Mul",       "Div",      "Pow",       "Max",      "Min",
    "Where", "Relu",        "Sigmoid",   "Tanh",     "LeakyRelu", "Elu",      "Gelu",
    "Erf",   "Exp",         "Log",       "Sqrt",     "Neg",       "Abs",      "Cast",
    "Clip",  "HardSigmoid", "HardSwish", "Softplus", "Selu",      "Softsign", "Reciprocal",
    "Floor", "Ceil",        "Round",     "Not",      "Equal",     "Less",     "Greater",
    "And",   "Or",          "Identity",  "Mish",     "Sign"};
constexpr int kLookAhead = 16;

bool is_elementwise(const Node& node) {
  return node.domain == "" && node.outputs.size() == 1 &&
         std::ranges::find(kElementwise, node.op) != kElementwise.end();
}

// The permutation that all operands share that are not constants; empty when there is none.
std::vector<int64_t> shared_permutation(const Node& node, size_t rank) {
  std::vector<int64_t> shared;
  for (const Value* input : node.inputs) {
    if (input == nullptr || (input->is_constant() && rank_of(input) <= rank)) continue;
    const Node* transpose = producer(input, "Transpose");
    const bool fits = transpose != nullptr && transpose->graph == node.graph &&
                      rank_of(input) == rank && single_user(input) == &node;
    if (!fits) return {};
    const auto permutation = permutation_of(*transpose, rank);
    if (!shared.empty() && shared != permutation) return {};
    shared = permutation;
  }
  return shared;
}

size_t transposed_operands(const Node& node) {
  return static_cast<size_t>(std::ranges::count_if(
      node.inputs, [](const Value* input) { return input != nullptr && !input->is_constant(); }));
}

bool undoes(const Node& transpose, const std::vector<int64_t>& permutation) {
  const auto next = permutation_of(transpose, permutation.size());
  for (size_t i = 0; i < next.size(); ++i) {
    if (permutation[static_cast<size_t>(next[i])] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

// Follows the only user of the result to the place where the Transpose would vanish.
bool pays(const Node& node, const std::vector<int64_t>& permutation) {
  if (transposed_operands(node) > 1) return true;
  const Node* here = &node;
  for (int step = 0; step < kLookAhead; ++step) {
    const Node* user = single_user(here->outputs[0]);
    if (user == nullptr || user->graph != node.graph) return false;
    if (user->is("Transpose")) return undoes(*user, permutation);
    if (!is_elementwise(*user) || rank_of(user->output(0)) != permutation.size()) return false;
    for (const Value* input : user->inputs) {
      if (input == nullptr || input->is_constant() || input == here->outputs[0]) continue;
      const Node* other = producer(input, "Transpose");
      return other != nullptr && has_single_use(input) &&
             permutation_of(*other, permutation.size()) == permutation;
    }
    here = user;
  }
  return false;
}

std::vector<int64_t> inverse_of(const std::vector<int64_t>& permutation) {
  std::vector<int64_t> inverse(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i) {
    inverse[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  }
  return inverse;
}

// The constant as it broadcasts before the Transpose.
Value* moved_constant(PassContext& context, Node& node, Value* constant,
                      const std::vector<int64_t>& inverse) {
  const Tensor& tensor = *constant->constant;
  if (tensor.element_count() == 1) return constant;
  Dims dims(inverse.size() - tensor.rank(), 1);
  dims.insert(dims.end(), tensor.dims().begin(), tensor.dims().end());
  Value* full = node.graph->add_constant(constant->name, tensor.reshaped(std::move(dims)));
  return insert_node(context, *node.graph, &node, "Transpose", {full}, constant->name,
                     make_attributes({{"perm", inverse}}))
      ->outputs[0];
}

}  // namespace

Result<bool> rewrite_transposed_operands(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    if (!is_elementwise(node)) return false;
    const auto rank = rank_of(node.output(0));
    if (!rank || *rank < 2) return false;
    const auto permutation = shared_permutation(node, *rank);
    if (permutation.empty() || !pays(node, permutation) || !context.allow(node)) return false;
    const auto inverse = inverse_of(permutation);
    std::vector<Value*> inputs;
    for (Value* input : node.inputs) {
      const bool moves = input != nullptr && !input->is_constant();
      inputs.push_back(moves              ? input->producer->inputs[0]
                       : input == nullptr ? nullptr
                                          : moved_constant(context, node, input, inverse));
    }
    const std::string name = node.outputs[0]->name;
    Node* moved = insert_node(context, owner, &node, node.op, inputs, name, node.attributes);
    moved->name = node.name;
    replace_node(context, &node, "Transpose", {moved->outputs[0]},
                 make_attributes({{"perm", permutation}}));
    return true;
  });
}

}  // namespace edgewright
