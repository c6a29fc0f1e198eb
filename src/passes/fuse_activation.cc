// Before: y = activation(Conv(x, w, b)) or activation(Gemm(a, b, c)).
// After:  y = FusedConv / FusedGemm of com.microsoft with the activation as an attribute.
// Conditions: float32; the bounds of Clip are constants.
#include <limits>

#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// The parameters of an activation in the order of FusedConv's activation_params; empty when they
// are not constants.
std::optional<std::vector<float>> activation_parameters(const Node& node) {
  const Attributes& a = node.attributes;
  if (node.op == "LeakyRelu") return std::vector<float>{a.get_float("alpha", 0.01f)};
  if (node.op == "HardSigmoid") {
    return std::vector<float>{a.get_float("alpha", 0.2f), a.get_float("beta", 0.5f)};
  }
  if (node.op != "Clip") return std::vector<float>{};
  constexpr float kLargest = std::numeric_limits<float>::max();
  std::vector<float> bounds{-kLargest, kLargest};
  for (size_t i = 0; i < 2; ++i) {
    if (node.input(i + 1) == nullptr) continue;
    const auto bound = scalar_constant(node.input(i + 1));
    if (!bound) return std::nullopt;
    bounds[i] = static_cast<float>(*bound);
  }
  return bounds;
}

void set_conv_activation(Attributes& attributes, std::vector<float> parameters) {
  if (!parameters.empty()) attributes.set("activation_params", std::move(parameters));
}

void set_gemm_activation(Attributes& attributes, const std::vector<float>& parameters) {
  if (!parameters.empty()) attributes.set("activation_alpha", parameters[0]);
}

}  // namespace

Result<bool> fuse_activation(Graph& graph, PassContext& context) {
  static const Pattern* const kActivated = new Pattern(R"(
      p = Conv|Gemm|com.microsoft::FusedConv(x, w, b?, ...);
      [Relu|Sigmoid|Tanh|LeakyRelu|HardSigmoid(p) | Clip(p, ...)])");
  return rewrite_nodes(graph, "", [&](Graph&, Node& node) -> Result<bool> {
    const Match match = kActivated->match(node);
    if (!match || dtype_of(match["x"]) != DType::kFloat32) return false;
    const Node* product = match.node("p");
    const auto parameters = activation_parameters(node);
    const bool gemm = product->op == "Gemm";
    const bool has_gemm_form = node.op != "Clip" && node.op != "HardSigmoid";
    if (!parameters || product->attributes.contains("activation") || (gemm && !has_gemm_form) ||
        !context.allow(node)) {
      return false;
    }
    Attributes attributes = product->attributes;
    attributes.set("activation", node.op);
    if (gemm) {
      set_gemm_activation(attributes, *parameters);
    } else {
      set_conv_activation(attributes, *parameters);
    }
    replace_node(context, &node, gemm ? "FusedGemm" : "FusedConv", product->inputs,
                 std::move(attributes), kMicrosoft);
    return true;
  });
}

}  // namespace edgewright
