#pragma once

#include "formats/tflite/emit.h"

namespace edgewright::tflite_io {

// Weights of a layer as the graph has them: float32, or int8 behind DequantizeLinear.
struct Weights {
  Tensor tensor;
  std::string name;
  std::optional<Quant> quant;  // zero points are 0
};
// A constant, or a constant behind DequantizeLinear.
bool has_weights(const Value* value);
Weights weights_of(const Value* value);
// Adds them with their axes in this order; the scales lie along `axis` of the result.
int add_weights(Emitter& emitter, const Weights& weights, const std::vector<int64_t>& order,
                int axis);

// Constant numbers, one a channel (or behind DequantizeLinear).
bool has_bias(const Value* value);
// As int32 in units of the input's scale times the weights' where `input` is given, else as
// float32. Null: zeros.
int add_bias(Emitter& emitter, const Value* value, int64_t channels, const Weights& weights,
             const std::optional<Quant>& input, const std::string& name);
// The numbers of a constant, or of a constant behind DequantizeLinear.
std::vector<double> constant_numbers(const Value* value);

}  // namespace edgewright::tflite_io
