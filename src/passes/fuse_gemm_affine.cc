// Before: Mul, Div, Add, Sub or BatchNormalization per column of Gemm(x, W, b); Mul or Div per
// column of MatMul(x, W).
// After: the product with W' = s W and b' = s b + t.
// Conditions: constant W, b and column factors; the product is used here only.
// s (x W + b) + t = x (s W) + (s b + t).
#include <algorithm>

#include "passes/channel_affine.h"
#include "passes/passes.h"

namespace edgewright {
namespace {

// The axis of the constant weights that runs along the columns of the product.
std::optional<size_t> column_axis(const Node& product) {
  const Tensor* weights = product.constant_input(1);
  if (weights == nullptr || weights->rank() < 2 || !is_floating_point(weights->dtype())) {
    return std::nullopt;
  }
  if (product.is("MatMul")) return weights->rank() - 1;
  const bool constant_bias = product.input(2) == nullptr || product.constant_input(2) != nullptr;
  if (!product.is("Gemm") || !constant_bias) return std::nullopt;
  return product.attributes.get_int("transB", 0) != 0 ? 0 : 1;
}

// A bias of one number or one per column, with beta multiplied in.
std::optional<Tensor> column_bias(const Node& gemm, size_t columns) {
  const Tensor& bias = *gemm.constant_input(2);
  auto elements = float_elements(bias);
  if (!elements || (elements->size() != 1 && elements->size() != columns)) return std::nullopt;
  if (bias.rank() == 2 && bias.dim(0) != 1) return std::nullopt;
  const double beta = gemm.attributes.get_float("beta", 1);
  for (double& element : *elements) element *= beta;
  auto scaled = float_tensor(bias.dtype(), {static_cast<int64_t>(elements->size())}, *elements);
  if (!scaled.ok()) return std::nullopt;
  return *std::move(scaled);
}

bool only_scales(const ChannelAffine& affine) {
  return std::ranges::all_of(affine.shift, [](double shift) { return shift == 0; });
}

Status apply(Graph& graph, Node& product, size_t axis, const ChannelAffine& affine,
             const Tensor* bias) {
  const Tensor& weights = *product.constant_input(1);
  EDGEWRIGHT_ASSIGN(Tensor scaled, scale_channels(weights, axis, affine.scale));
  const std::string& name = product.outputs[0]->name;
  if (product.op == "Gemm") {
    EDGEWRIGHT_ASSIGN(Tensor shifted, affine_bias(bias, weights.dtype(), affine));
    graph.set_input(&product, 2, graph.add_constant(name + "_bias", std::move(shifted)));
    product.attributes.erase("beta");
  }
  graph.set_input(&product, 1, graph.add_constant(name + "_weight", std::move(scaled)));
  return {};
}

}  // namespace

Result<bool> fuse_gemm_affine(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    for (const size_t side : {size_t{0}, size_t{1}}) {
      Value* data = node.input(side);
      if (data == nullptr || data->producer == nullptr || !has_single_use(data)) continue;
      Node& product = *data->producer;
      const auto axis = column_axis(product);
      if (!axis || product.graph != &owner) continue;
      const auto columns = static_cast<size_t>(product.constant_input(1)->dim(*axis));
      const auto affine = channel_affine(node, columns, 0);
      if (!affine || affine->data != data || !same_shape(data, node.output(0))) continue;
      if (product.op == "MatMul" && !only_scales(*affine)) continue;
      std::optional<Tensor> bias;
      if (product.input(2) != nullptr) {
        bias = column_bias(product, columns);
        if (!bias) continue;
      }
      if (!context.allow(node)) return false;
      EDGEWRIGHT_TRY(apply(owner, product, *axis, *affine, bias ? &*bias : nullptr));
      replace_value(node.outputs[0], data);
      erase_if_dead(&node);
      return true;
    }
    return false;
  });
}

}  // namespace edgewright
