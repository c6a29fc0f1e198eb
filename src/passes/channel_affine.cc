#include "passes/channel_affine.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

std::optional<std::vector<double>> vector_constant(const Value* value, size_t channels) {
  if (value == nullptr || !value->is_constant() || value->constant->rank() != 1)
    return std::nullopt;
  auto elements = float_elements(*value->constant);
  if (!elements || elements->size() != channels) return std::nullopt;
  return elements;
}

// The inference formula of BatchNormalization: scale (x - mean) / sqrt(var + epsilon) + bias.
std::optional<ChannelAffine> batch_normalization(const Node& node, size_t channels) {
  if (node.attributes.get_int("training_mode", 0) != 0 || node.outputs.size() != 1) {
    return std::nullopt;
  }
  const auto gamma = vector_constant(node.input(1), channels);
  const auto beta = vector_constant(node.input(2), channels);
  const auto mean = vector_constant(node.input(3), channels);
  const auto variance = vector_constant(node.input(4), channels);
  if (!gamma || !beta || !mean || !variance) return std::nullopt;
  const double epsilon = node.attributes.get_float("epsilon", 1e-5f);
  ChannelAffine affine;
  affine.data = node.inputs[0];
  for (size_t c = 0; c < channels; ++c) {
    const double scale = (*gamma)[c] / std::sqrt((*variance)[c] + epsilon);
    affine.scale.push_back(scale);
    affine.shift.push_back((*beta)[c] - scale * (*mean)[c]);
  }
  return affine;
}

// A constant that broadcasts along every axis but the channels'.
std::optional<std::vector<double>> channel_constant(const Tensor& tensor, size_t channels,
                                                    size_t axis_from_back, size_t data_rank) {
  const auto elements = float_elements(tensor);
  if (!elements || tensor.rank() > data_rank) return std::nullopt;
  if (elements->size() == 1) return std::vector<double>(channels, elements->front());
  if (elements->size() != channels || tensor.rank() <= axis_from_back) return std::nullopt;
  const size_t axis = tensor.rank() - 1 - axis_from_back;
  if (tensor.dims()[axis] != static_cast<int64_t>(channels)) return std::nullopt;
  return elements;
}

}  // namespace

std::optional<ChannelAffine> channel_affine(const Node& node, size_t channels,
                                            size_t axis_from_back) {
  if (node.domain != "") return std::nullopt;
  const auto rank = rank_of(node.output(0));
  if (!rank || *rank <= axis_from_back) return std::nullopt;
  if (node.op == "BatchNormalization") {
    return *rank - 1 - axis_from_back == 1 ? batch_normalization(node, channels) : std::nullopt;
  }
  const bool scales = node.op == "Mul" || node.op == "Div";
  const bool commutes = node.op == "Mul" || node.op == "Add";
  if (!scales && node.op != "Add" && node.op != "Sub") return std::nullopt;
  const size_t side = commutes && node.constant_input(0) != nullptr ? 0 : 1;
  const Tensor* tensor = node.constant_input(side);
  if (tensor == nullptr) return std::nullopt;
  auto constant = channel_constant(*tensor, channels, axis_from_back, *rank);
  if (!constant) return std::nullopt;
  ChannelAffine affine;
  affine.data = node.inputs[1 - side];
  for (double& element : *constant) {
    if (node.op == "Div") element = 1 / element;
    if (node.op == "Sub") element = -element;
    if (!std::isfinite(element)) return std::nullopt;
  }
  const std::vector<double> ones(channels, 1.0), zeros(channels, 0.0);
  affine.scale = scales ? *constant : ones;
  affine.shift = scales ? zeros : *constant;
  return affine;
}

Result<Tensor> scale_channels(const Tensor& weights, size_t axis,
                              const std::vector<double>& scale) {
  auto elements = float_elements(weights);
  if (!elements) return internal_error("weights of type {}", dtype_name(weights.dtype()));
  size_t inner = 1;
  for (size_t i = axis + 1; i < weights.rank(); ++i) inner *= static_cast<size_t>(weights.dim(i));
  for (size_t i = 0; i < elements->size(); ++i) (*elements)[i] *= scale[i / inner % scale.size()];
  return float_tensor(weights.dtype(), weights.dims(), *elements);
}

Result<Tensor> affine_bias(const Tensor* bias, DType dtype, const ChannelAffine& affine) {
  std::vector<double> elements = affine.shift;
  if (bias != nullptr) {
    const auto old = float_elements(*bias);
    if (!old || (old->size() != elements.size() && old->size() != 1)) {
      return internal_error("a bias of another length than the weights");
    }
    for (size_t c = 0; c < elements.size(); ++c) {
      elements[c] += affine.scale[c] * (*old)[old->size() == 1 ? 0 : c];
    }
  }
  return float_tensor(dtype, {static_cast<int64_t>(elements.size())}, elements);
}

}  // namespace edgewright
