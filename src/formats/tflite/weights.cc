#include "formats/tflite/weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/dequantized.h"

namespace edgewright::tflite_io {
namespace {

const Node* dequantize(const Value* value) {
  const Node* node = value == nullptr ? nullptr : value->producer;
  return node != nullptr && node->is("DequantizeLinear") && node->constant_input(0) != nullptr
             ? node
             : nullptr;
}

bool all_zero(const std::vector<int64_t>& values) {
  return std::ranges::all_of(values, [](int64_t value) { return value == 0; });
}

}  // namespace

bool has_weights(const Value* value) {
  if (value == nullptr) return false;
  if (const Node* node = dequantize(value)) return quant_of(*node).has_value();
  return value->is_constant() && value->constant->dtype() == DType::kFloat32;
}

Weights weights_of(const Value* value) {
  const Node* node = dequantize(value);
  if (node == nullptr) return {*value->constant, value->name, {}};
  const auto quant = quant_of(*node);
  const Tensor& integers = *node->constant_input(0);
  // The kernels know no zero points of weights.
  if (quant && integers.dtype() == DType::kInt8 && all_zero(quant->zeros)) {
    return {integers, value->name, quant};
  }
  return {*dequantized(*node), value->name, {}};
}

int add_weights(Emitter& emitter, const Weights& weights, const std::vector<int64_t>& order,
                int axis) {
  const Tensor tensor = permuted(weights.tensor, order);
  if (!weights.quant) return emitter.stored(tensor, weights.name);
  Quant quant = *weights.quant;
  quant.axis = axis;
  return emitter.constant(tensor, weights.name, quant);
}

std::vector<double> constant_numbers(const Value* value) {
  if (const Node* node = dequantize(value)) return *dequantized(*node)->to_doubles();
  return *value->constant->to_doubles();
}

bool has_bias(const Value* value) {
  if (value == nullptr) return false;
  if (dequantize(value) != nullptr) return true;
  return value->is_constant() && value->constant->dtype() == DType::kFloat32;
}

int add_bias(Emitter& emitter, const Value* value, int64_t channels, const Weights& weights,
             const std::optional<Quant>& input, const std::string& name) {
  std::vector<double> numbers(static_cast<size_t>(channels), 0);
  if (value != nullptr) {
    const auto given = constant_numbers(value);
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = given[given.size() == 1 ? 0 : i];
  }
  const std::string bias_name = value == nullptr ? name + "/bias" : value->name;
  if (!input) {
    const std::vector<float> reals(numbers.begin(), numbers.end());
    return emitter.constant(Tensor::of<float>({channels}, std::span<const float>(reals)),
                            bias_name);
  }
  Quant quant{{}, {}, 0};
  for (const float scale : weights.quant->scales) {
    quant.scales.push_back(scale * input->scales[0]);
    quant.zeros.push_back(0);
  }
  std::vector<int32_t> integers;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double steps = numbers[i] / quant.scales[quant.scales.size() == 1 ? 0 : i];
    constexpr double kMost = std::numeric_limits<int32_t>::max();
    integers.push_back(static_cast<int32_t>(std::lround(std::clamp(steps, -kMost, kMost))));
  }
  return emitter.constant(Tensor::of<int32_t>({channels}, std::span<const int32_t>(integers)),
                          bias_name, quant);
}

}  // namespace edgewright::tflite_io
