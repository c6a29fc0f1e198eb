// Before: BatchNormalization, Mul, Div, Add or Sub per channel of Conv or ConvTranspose(x, W, b).
// After: the convolution with W' = s W and b' = s b + t.
// Conditions: constant weights, bias and channel factors; the convolution is used here only.
// s (W * x + b) + t = (s W) * x + (s b + t).
#include "passes/channel_affine.h"
#include "passes/passes.h"

namespace edgewright {
namespace {

// Where the weights hold the output channels: Conv (M, C/g, k...); ConvTranspose (C, M/g, k...),
// for one group only.
std::optional<size_t> channel_axis(const Node& node) {
  if (node.is("Conv")) return 0;
  if (node.is("ConvTranspose") && node.attributes.get_int("group", 1) == 1) return 1;
  return std::nullopt;
}

bool has_constant_weights(const Node& node) {
  const Tensor* weights = node.constant_input(1);
  if (weights == nullptr || weights->rank() < 3 || !is_floating_point(weights->dtype()))
    return false;
  return node.input(2) == nullptr || node.constant_input(2) != nullptr;
}

Status apply(Graph& graph, Node& convolution, size_t axis, const ChannelAffine& affine) {
  const Tensor& weights = *convolution.constant_input(1);
  EDGEWRIGHT_ASSIGN(Tensor scaled, scale_channels(weights, axis, affine.scale));
  EDGEWRIGHT_ASSIGN(Tensor bias,
                    affine_bias(convolution.constant_input(2), weights.dtype(), affine));
  const std::string& name = convolution.outputs[0]->name;
  graph.set_input(&convolution, 1, graph.add_constant(name + "_weight", std::move(scaled)));
  graph.set_input(&convolution, 2, graph.add_constant(name + "_bias", std::move(bias)));
  return {};
}

}  // namespace

Result<bool> fuse_conv_affine(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    for (const size_t side : {size_t{0}, size_t{1}}) {
      Value* data = node.input(side);
      if (data == nullptr || data->producer == nullptr || !has_single_use(data)) continue;
      Node& convolution = *data->producer;
      const auto axis = channel_axis(convolution);
      if (!axis || convolution.graph != &owner || !has_constant_weights(convolution)) continue;
      const Tensor& weights = *convolution.constant_input(1);
      const auto affine =
          channel_affine(node, static_cast<size_t>(weights.dim(*axis)), weights.rank() - 2);
      if (!affine || affine->data != data || !same_shape(data, node.output(0))) continue;
      if (!context.allow(node)) return false;
      EDGEWRIGHT_TRY(apply(owner, convolution, *axis, *affine));
      replace_value(node.outputs[0], data);
      erase_if_dead(&node);
      return true;
    }
    return false;
  });
}

}  // namespace edgewright
