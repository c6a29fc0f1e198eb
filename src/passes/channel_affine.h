#pragma once

#include <optional>
#include <vector>

#include "passes/rewrite.h"

namespace edgewright {

// y = scale[c] x + shift[c], c the index along one axis of x.
struct ChannelAffine {
  std::vector<double> scale;
  std::vector<double> shift;
  Value* data = nullptr;  // x
};

// What a node does to its data input per channel: an inference BatchNormalization, or Mul, Div, Add
// or Sub with a constant that is one number or has one per channel. `channel_axis` is counted from
// the back: 0 is the last axis. Empty when the node is none of these.
std::optional<ChannelAffine> channel_affine(const Node& node, size_t channels,
                                            size_t axis_from_back);

// W' = scale[c] W along `axis` of the weights, rounded once to their type.
Result<Tensor> scale_channels(const Tensor& weights, size_t axis, const std::vector<double>& scale);
// b' = scale b + shift; `bias` may be null (0).
Result<Tensor> affine_bias(const Tensor* bias, DType dtype, const ChannelAffine& affine);

}  // namespace edgewright
