// Before: Conv (or com.microsoft::FusedConv) with constant weights, then a sum with a tensor of the
// result's shape and an activation, in either order.
// After: one edgewright::Conv2d with explicit attributes.
// Conditions: float32, one or two spatial axes, known shapes, nothing else reads what lies between.
#include <algorithm>

#include "passes/lower/conv_attributes.h"

namespace edgewright {
namespace {

bool can_lower(const Node& node) {
  if (node.inputs.size() < 2 || node.output(0) == nullptr) return false;
  if (!is_static_float(node.inputs[0]) || !is_static_float(node.outputs[0]) ||
      node.constant_input(1) == nullptr || dtype_of(node.inputs[1]) != DType::kFloat32) {
    return false;
  }
  if (node.input(2) != nullptr && node.constant_input(2) == nullptr) return false;
  const size_t rank = *rank_of(node.inputs[0]);
  return (rank == 3 || rank == 4) && rank_of(node.inputs[1]) == rank;
}

// What com.microsoft::FusedConv already has fused; false when its activation is not known.
bool read_fused(const Node& node, EpilogueMatch& match) {
  match.residual = node.input(3);
  if (match.residual != nullptr && !is_static_float(match.residual)) return false;
  match.activation = node.attributes.get_string("activation", "");
  const auto params = node.attributes.get_floats("activation_params");
  constexpr std::string_view kWithParams[] = {"LeakyRelu", "Clip", "HardSigmoid"};
  const bool takes_params =
      std::ranges::find(kWithParams, match.activation) != std::end(kWithParams);
  if (takes_params && !params.empty()) match.alpha = params[0];
  if (takes_params && params.size() > 1) match.beta = params[1];
  return takes_params || match.activation.empty() || match.activation == "Relu" ||
         match.activation == "Sigmoid" || match.activation == "Tanh" ||
         match.activation == "HardSwish";
}

// Kernels work on blocks of 16 channels, the unused ones being zero before and after.
bool keeps_unused_channels_zero(const Node& node, const EpilogueMatch& match) {
  if ((*static_dims(node.outputs[0]))[1] % 16 == 0) return true;
  if (match.activation == "Clip") return match.alpha <= 0.0f && match.beta >= 0.0f;
  return match.activation != "Sigmoid" && match.activation != "HardSigmoid";
}

Result<bool> lower_one(PassContext& context, Node& node) {
  const bool fused = node.domain == "com.microsoft";
  if (!(node.domain.empty() && node.op == "Conv") && !fused) return false;
  if (!can_lower(node)) return false;
  auto attributes = conv_attributes(node);
  EpilogueMatch match;
  match.last = node.outputs[0];
  if (!attributes || (fused && !read_fused(node, match))) return false;
  if (!fused) match_epilogue(match);
  if (!keeps_unused_channels_zero(node, match)) {
    if (fused) return false;
    match = {.last = node.outputs[0]};
  }
  if (!context.allow(node)) return false;
  match.write_to(*attributes);
  keep_products(node, *attributes);
  std::vector<Value*> inputs = {node.inputs[0], node.inputs[1], node.input(2), match.residual};
  replace_chain(context, match.last, "Conv2d", std::move(inputs), *std::move(attributes));
  return true;
}

}  // namespace

Result<bool> lower_conv(Graph& graph, PassContext& context) {
  return lower_nodes(graph, {"Conv", "FusedConv"},
                     [&](Node& node) { return lower_one(context, node); });
}

}  // namespace edgewright
