// Before: BatchNormalization, Mul, Div, Add or Sub per channel of Conv(x, DequantizeLinear(q, t),
// b) with constant integer weights q and scales t: what quantisation-aware training leaves. After:
// Conv(x, DequantizeLinear(q', |s| t), s b + u), q' = sign(s) q, so that integer kernels can run
// it. The bias is an int32 constant in units of input scale x weight scale where x is a dequantised
// value with one scale, float otherwise. Conditions: no factor is zero; channels with a negative
// factor hold no smallest integer and have zero point 0; the convolution is used here only.
#include <algorithm>
#include <cmath>
#include <limits>

#include "passes/channel_affine.h"
#include "passes/passes.h"

namespace edgewright {
namespace {

// Integer weights behind DequantizeLinear, with a scale per output channel.
struct IntegerWeights {
  Node* node = nullptr;
  std::vector<double> scales;  // one a channel
};

std::optional<IntegerWeights> integer_weights(Node& convolution) {
  Node* node = producer(convolution.input(1), "DequantizeLinear");
  if (node == nullptr || !has_single_use(convolution.input(1))) return std::nullopt;
  const Tensor* integers = node->constant_input(0);
  const Tensor* scale = node->constant_input(1);
  if (integers == nullptr || integers->dtype() != DType::kInt8 || integers->rank() < 3 ||
      scale == nullptr || scale->dtype() != DType::kFloat32 || scale->rank() > 1) {
    return std::nullopt;
  }
  const auto channels = static_cast<size_t>(integers->dim(0));
  auto scales = *float_elements(*scale);
  if (scales.size() != 1 && scales.size() != channels) return std::nullopt;
  if (scales.size() > 1 && node->attributes.get_int("axis", 1) != 0) return std::nullopt;
  if (node->input(2) != nullptr) {
    const auto zero_points = int_constant(node->input(2));
    if (!zero_points || std::ranges::any_of(*zero_points, [](int64_t x) { return x != 0; })) {
      return std::nullopt;
    }
  }
  scales.resize(channels, scales[0]);
  return IntegerWeights{node, std::move(scales)};
}

bool has_constant_bias(const Node& convolution) {
  const Value* bias = convolution.input(2);
  if (bias == nullptr || bias->is_constant()) return true;
  const Node* node = producer(bias, "DequantizeLinear");
  return node != nullptr && node->constant_input(0) != nullptr &&
         node->constant_input(1) != nullptr && node->input(2) == nullptr;
}

Result<std::optional<Tensor>> bias_of(const Node& convolution) {
  const Value* bias = convolution.input(2);
  if (bias == nullptr) return std::optional<Tensor>();
  if (bias->is_constant()) return std::optional<Tensor>(*bias->constant);
  const Node& node = *bias->producer;
  EDGEWRIGHT_ASSIGN(std::vector<double> elements, node.constant_input(0)->to_doubles());
  EDGEWRIGHT_ASSIGN(const std::vector<double> scales, node.constant_input(1)->to_doubles());
  for (size_t c = 0; c < elements.size(); ++c) {
    elements[c] *= scales[scales.size() == 1 ? 0 : c];
  }
  EDGEWRIGHT_ASSIGN(Tensor tensor,
                    float_tensor(DType::kFloat32, node.constant_input(0)->dims(), elements));
  return std::optional<Tensor>(std::move(tensor));
}

// Turns the signs of channels; empty where the smallest integer has no counterpart.
std::optional<Tensor> with_signs(const Tensor& integers, const std::vector<double>& factors) {
  std::vector<int8_t> turned(integers.elements<int8_t>().begin(),
                             integers.elements<int8_t>().end());
  const size_t per_channel = turned.size() / factors.size();
  for (size_t i = 0; i < turned.size(); ++i) {
    if (factors[i / per_channel] > 0) continue;
    if (turned[i] == std::numeric_limits<int8_t>::min()) return std::nullopt;
    turned[i] = static_cast<int8_t>(-turned[i]);
  }
  return Tensor::of<int8_t>(integers.dims(), turned);
}

Tensor float_vector(const std::vector<double>& elements) {
  std::vector<float> rounded(elements.begin(), elements.end());
  return Tensor::of<float>({static_cast<int64_t>(rounded.size())}, rounded);
}

Value* add_dequantized(PassContext& context, Graph& graph, Node& before, const std::string& name,
                       Tensor integers, const std::vector<double>& scales) {
  const DType dtype = integers.dtype();
  const auto channels = static_cast<int64_t>(scales.size());
  auto zeros = Tensor::allocate(dtype, {channels});
  EDGEWRIGHT_CHECK(zeros.ok());
  Value* data = graph.add_constant(name + "_quantized", std::move(integers));
  Value* scale = graph.add_constant(name + "_scale", float_vector(scales));
  Value* zero = graph.add_constant(name + "_zero_point", *std::move(zeros));
  return insert_node(context, graph, &before, "DequantizeLinear", {data, scale, zero}, name,
                     make_attributes({{"axis", int64_t{0}}}))
      ->outputs[0];
}

// The scale of the dequantised value that the convolution reads, if it is one number.
std::optional<double> input_scale(const Node& convolution) {
  const Node* node = producer(convolution.input(0), "DequantizeLinear");
  return node == nullptr ? std::nullopt : scalar_constant(node->input(1));
}

Value* add_bias(PassContext& context, Graph& graph, Node& convolution, const Tensor& bias,
                const std::vector<double>& weight_scales) {
  const std::string name = convolution.outputs[0]->name + "_bias";
  const auto scale = input_scale(convolution);
  const auto elements = bias.elements<float>();
  std::vector<int32_t> integers;
  std::vector<double> scales;
  for (size_t c = 0; scale && c < elements.size(); ++c) {
    scales.push_back(*scale * weight_scales[c]);
    const double steps = std::nearbyint(elements[c] / scales[c]);
    if (!(std::abs(steps) < (1 << 30))) break;
    integers.push_back(static_cast<int32_t>(steps));
  }
  if (!scale || integers.size() != elements.size()) return graph.add_constant(name, bias);
  return add_dequantized(context, graph, convolution, name,
                         Tensor::of<int32_t>(bias.dims(), integers), scales);
}

}  // namespace

Result<bool> fuse_quantized_affine(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    Value* data = node.input(0);
    if (data == nullptr || !has_single_use(data)) return false;
    Node* convolution = producer(data, "Conv");
    if (convolution == nullptr || convolution->graph != &owner) return false;
    auto weights = integer_weights(*convolution);
    if (!weights || !has_constant_bias(*convolution)) return false;
    const Tensor& integers = *weights->node->constant_input(0);
    const auto affine = channel_affine(node, weights->scales.size(), integers.rank() - 2);
    if (!affine || affine->data != data || !same_shape(data, node.output(0))) return false;
    if (std::ranges::any_of(affine->scale, [](double s) { return s == 0; })) return false;
    auto turned = with_signs(integers, affine->scale);
    if (!turned || !context.allow(node)) return false;
    for (size_t c = 0; c < weights->scales.size(); ++c) {
      weights->scales[c] *= std::abs(affine->scale[c]);
    }
    EDGEWRIGHT_ASSIGN(const std::optional<Tensor> old_bias, bias_of(*convolution));
    EDGEWRIGHT_ASSIGN(const Tensor bias,
                      affine_bias(old_bias ? &*old_bias : nullptr, DType::kFloat32, *affine));
    const std::string name = convolution->outputs[0]->name + "_weight";
    Value* scaled =
        add_dequantized(context, owner, *convolution, name, *std::move(turned), weights->scales);
    Value* shifted = add_bias(context, owner, *convolution, bias, weights->scales);
    owner.set_input(convolution, 1, scaled);
    owner.set_input(convolution, 2, shifted);
    replace_value(node.outputs[0], data);
    erase_if_dead(&node);
    return true;
  });
}

}  // namespace edgewright
