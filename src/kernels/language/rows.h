#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/language/linear.h"

// Operations on rows of floats between the products of a decoder layer.
namespace edgewright::language {

// out = x / sqrt(mean(x^2) + epsilon) * weight (Zhang and Sennrich 2019); out may be x. With a
// residual: out = residual + that.
void rms_norm(const float* x, const float* weight, float epsilon, size_t count, float* out,
              const float* residual = nullptr);
// The same for each of `heads` runs of head_size values: query and key norms.
void rms_norm_heads(float* x, const float* weight, float epsilon, size_t heads, size_t head_size);

enum class RopeStyle : uint8_t {
  kHalves,  // dimension i turns with i + rotary / 2 (Hugging Face)
  kPairs,   // 2i turns with 2i + 1 (the original paper, GGUF of Llama)
};
// Rotates the first 2 * pairs dimensions of every head by the angles whose cosines and sines are
// given, `pairs` of each (Su et al. 2021). Scaling rules are in the tables.
void rope(float* x, size_t heads, size_t head_size, const float* cosines, const float* sines,
          size_t pairs, RopeStyle style);

// out[i] = activation(gate[i]) * up[i].
void gate_rows(Gate gate, const float* gates, const float* ups, float* out, size_t count);
// x[i] = cap * tanh(x[i] / cap).
void soft_cap(float* x, float cap, size_t count);
// out[i] = exp((x[i] - largest) * factor); returns their sum. out may be x.
double exponentials(const float* x, float largest, float factor, size_t count, float* out);

}  // namespace edgewright::language
