#include "quantize/scheme.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edgewright {
namespace {

// A scale below this would make its reciprocal infinite.
constexpr float kLeastScale = 1e-30f;
// Biases stay well inside int32, so that sums of products still fit beside them.
constexpr float kLargestBias = 1 << 30;

constexpr struct {
  std::string_view name;
  DType activations;
  int weight_bits;
} kSchemes[] = {
    {"u8s8", DType::kUint8, 8},
    {"s8s8", DType::kInt8, 8},
    {"u8s7", DType::kUint8, 7},
    {"s8s7", DType::kInt8, 7},
};

bool has(std::span<const std::string> features, std::string_view wanted) {
  return std::ranges::any_of(
      features, [&](const std::string& one) { return one.find(wanted) != std::string::npos; });
}

}  // namespace

float QuantParams::round(float real) const {
  const float integer = std::nearbyint(real / scale) + static_cast<float>(zero_point);
  const float bounded = std::clamp(integer, static_cast<float>(low), static_cast<float>(high));
  return (bounded - static_cast<float>(zero_point)) * scale;
}

Result<Scheme> scheme_by_name(std::string_view name) {
  for (const auto& row : kSchemes) {
    if (row.name != name) continue;
    Scheme scheme;
    scheme.name = name;
    scheme.activations = row.activations;
    scheme.weight_bits = row.weight_bits;
    return scheme;
  }
  return usage_error("found scheme '{}', expected u8s8, s8s8, u8s7 or s8s7", name);
}

Scheme scheme_for(std::span<const std::string> features, std::string& why) {
  const bool vnni = has(features, "vnni");
  const bool x86 = has(features, "avx") || has(features, "sse");
  if (vnni || !x86) {
    why = vnni ? "VNNI sums products of u8 and s8 in 32 bits"
               : "dot products are summed in 32 bits here";
    return *scheme_by_name("u8s8");
  }
  why =
      "without VNNI two products of u8 and s8 are summed in 16 bits, which 8-bit weights overflow";
  return *scheme_by_name("u8s7");
}

QuantParams activation_params(ValueRange range, const Scheme& scheme) {
  QuantParams params;
  params.dtype = scheme.activations;
  const bool is_signed = scheme.activations == DType::kInt8;
  params.low = is_signed ? -128 : 0;
  params.high = is_signed ? 127 : 255;
  double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  if (scheme.symmetric) {
    high = std::max(-low, high);
    params.low = is_signed ? -127 : 1;
    params.zero_point = is_signed ? 0 : 128;
    params.scale = std::max(static_cast<float>(high / 127), kLeastScale);
    return params;
  }
  params.scale = std::max(static_cast<float>((high - low) / 255), kLeastScale);
  const double zero = params.low - low / params.scale;
  params.zero_point = std::clamp(static_cast<int32_t>(std::lround(zero)), params.low, params.high);
  return params;
}

QuantParams symmetric_params(double max_abs, int bits) {
  QuantParams params;
  params.dtype = DType::kInt8;
  params.high = (1 << (bits - 1)) - 1;
  params.low = -params.high;
  params.scale = std::max(static_cast<float>(max_abs / params.high), kLeastScale);
  return params;
}

ChannelStride channel_stride(const Dims& dims, int axis) {
  ChannelStride stride;
  if (axis < 0) return stride;
  for (size_t i = static_cast<size_t>(axis) + 1; i < dims.size(); ++i) stride.inner *= dims[i];
  stride.inner = std::max<int64_t>(stride.inner, 1);
  stride.channels = std::max<int64_t>(dims[static_cast<size_t>(axis)], 1);
  return stride;
}

RoundedWeights quantize_weights(const Tensor& weights, int axis, int bits,
                                std::span<const float> least_scale) {
  const ChannelStride stride = channel_stride(weights.dims(), axis);
  const auto elements = weights.elements<float>();
  std::vector<float> largest(static_cast<size_t>(axis < 0 ? 1 : stride.channels));
  for (size_t i = 0; i < elements.size(); ++i) {
    float& entry = largest[static_cast<size_t>(stride.channel(static_cast<int64_t>(i)))];
    entry = std::max(entry, std::abs(elements[i]));
  }
  RoundedWeights result;
  result.axis = axis;
  std::vector<QuantParams> params;
  for (size_t c = 0; c < largest.size(); ++c) {
    params.push_back(symmetric_params(largest[c], bits));
    // A channel of zeros may have any scale: 1 keeps the product with the input's scale sound.
    if (largest[c] == 0) params[c].scale = 1;
    if (c < least_scale.size()) params[c].scale = std::max(params[c].scale, least_scale[c]);
    result.scales.push_back(params[c].scale);
  }
  std::vector<int8_t> integers(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    const auto& one = params[static_cast<size_t>(stride.channel(static_cast<int64_t>(i)))];
    const float integer = std::nearbyint(elements[i] / one.scale);
    integers[i] = static_cast<int8_t>(
        std::clamp(integer, static_cast<float>(one.low), static_cast<float>(one.high)));
  }
  result.integers = Tensor::of<int8_t>(weights.dims(), integers);
  return result;
}

Tensor dequantize(const RoundedWeights& weights) {
  const ChannelStride stride = channel_stride(weights.integers.dims(), weights.axis);
  const auto integers = weights.integers.elements<int8_t>();
  std::vector<float> reals(integers.size());
  for (size_t i = 0; i < integers.size(); ++i) {
    const auto channel = static_cast<size_t>(stride.channel(static_cast<int64_t>(i)));
    reals[i] = static_cast<float>(integers[i]) * weights.scales[channel];
  }
  return Tensor::of<float>(weights.integers.dims(), reals);
}

float least_weight_scale(float bias, float input_scale) {
  return std::abs(bias) / (input_scale * kLargestBias);
}

std::vector<int32_t> quantize_bias(std::span<const float> bias, float input_scale,
                                   std::span<const float> weight_scales) {
  std::vector<int32_t> integers;
  for (size_t c = 0; c < bias.size(); ++c) {
    const double scale =
        static_cast<double>(input_scale) * weight_scales[weight_scales.size() == 1 ? 0 : c];
    constexpr double kLimit = std::numeric_limits<int32_t>::max();
    integers.push_back(
        static_cast<int32_t>(std::clamp(std::nearbyint(bias[c] / scale), -kLimit, kLimit)));
  }
  return integers;
}

}  // namespace edgewright
