#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace edgewright {

// The numbers that a tensor is rounded to: real = scale (integer - zero_point).
struct QuantParams {
  float scale = 1;
  int32_t zero_point = 0;
  DType dtype = DType::kUint8;  // uint8 or int8
  int32_t low = 0, high = 255;  // the integers that are used

  float real_low() const { return scale * static_cast<float>(low - zero_point); }
  float real_high() const { return scale * static_cast<float>(high - zero_point); }
  // The nearest representable number, ties to even, saturated: what QuantizeLinear followed by
  // DequantizeLinear gives.
  float round(float real) const;
  bool operator==(const QuantParams&) const = default;
};

// The real numbers that a tensor takes.
struct ValueRange {
  double low = 0, high = 0;
  bool operator==(const ValueRange&) const = default;
};

// Which integers stand for activations and weights.
struct Scheme {
  std::string name = "u8s8";          // activations, weights
  DType activations = DType::kUint8;  // or int8
  bool symmetric = false;             // activations: zero point in the middle
  int weight_bits = 8;                // 7 where the target's 16-bit sums of products saturate
  bool per_channel = true;            // a weight scale per output channel
};

// u8s8, s8s8, u8s7 and s8s7 by name; kUsage otherwise.
Result<Scheme> scheme_by_name(std::string_view name);
// What fits a processor with these features (base/cpu.h): 7-bit weights where products of u8 and s8
// are summed in 16 bits (AVX2 without VNNI), and why.
Scheme scheme_for(std::span<const std::string> features, std::string& why);

// Zero is always represented exactly; a range without extent gets a scale that still holds it.
QuantParams activation_params(ValueRange range, const Scheme& scheme);
QuantParams symmetric_params(double max_abs, int bits);

// Weights as integers with one scale per index of `axis` (one for all when axis < 0). The integers
// lie within +-(2^(bits-1)-1), the zero point is 0.
struct RoundedWeights {
  Tensor integers;            // int8, the dimensions of the weights
  std::vector<float> scales;  // one, or one per index of the axis
  int axis = -1;
};
// `least_scale[c]`, where given, bounds the scales from below (see quantize_bias).
RoundedWeights quantize_weights(const Tensor& weights, int axis, int bits,
                                std::span<const float> least_scale = {});
// The numbers that the integers stand for, float32.
Tensor dequantize(const RoundedWeights& weights);

// Bias as int32 in units of input scale x weight scale. The scale of a weight channel must be at
// least this so that the bias fits.
float least_weight_scale(float bias, float input_scale);
std::vector<int32_t> quantize_bias(std::span<const float> bias, float input_scale,
                                   std::span<const float> weight_scales);

// Position of an element's channel along `axis`: elements per channel step and channel count.
struct ChannelStride {
  int64_t inner = 1, channels = 1;
  int64_t channel(int64_t element) const { return element / inner % channels; }
};
ChannelStride channel_stride(const Dims& dims, int axis);

}  // namespace edgewright
