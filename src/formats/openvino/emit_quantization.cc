// Rounding to integers. QuantizeLinear with DequantizeLinear behind is one FakeQuantize; integer
// constants behind DequantizeLinear stay integers: Convert, Subtract, Multiply, which OpenVINO's
// low-precision transformations look for.
#include <algorithm>
#include <cmath>

#include "formats/openvino/emit.h"

namespace edgewright::openvino_ir {
namespace {

struct Limits {
  double low, high;
};
std::optional<Limits> limits_of(DType dtype) {
  if (dtype == DType::kUint8) return Limits{0, 255};
  if (dtype == DType::kInt8) return Limits{-128, 127};
  if (dtype == DType::kUint16) return Limits{0, 65535};
  if (dtype == DType::kInt16) return Limits{-32768, 32767};
  return {};
}

DType integer_type(const Node& node) {
  return node.op == "QuantizeLinear" ? node.outputs[0]->type.dtype : node.inputs[0]->type.dtype;
}

// One scale, or one per index of the axis; blocks of a row have another form.
bool has_form(const Node& node) {
  if (node.attributes.get_int("block_size", 0) != 0) return false;
  if (!has_constant(node, 1) || node.constant_input(1)->dtype() != DType::kFloat32) return false;
  if (node.input(2) != nullptr && !has_constant(node, 2)) return false;
  if (!has_rank(node.input(0)) || node.constant_input(1)->rank() > 1) return false;
  if (node.op == "DequantizeLinear") return true;
  return limits_of(integer_type(node)).has_value();
}

// The dimensions that a vector of scales takes to lie along the axis.
Dims along_axis(const Node& node, const Tensor& scales) {
  if (scales.rank() == 0 || scales.element_count() == 1) return {};
  const auto rank = static_cast<int64_t>(rank_of(node.input(0)));
  int64_t axis = node.attributes.get_int("axis", 1);
  if (axis < 0) axis += rank;
  Dims dims(static_cast<size_t>(rank), 1);
  dims[static_cast<size_t>(std::clamp<int64_t>(axis, 0, rank - 1))] = scales.element_count();
  return dims;
}

// The limits of the rounded numbers, in reals or as the integers themselves.
Tensor limit_tensor(const Node& node, bool high, bool real) {
  const Tensor& scales = *node.constant_input(1);
  const Limits limits = *limits_of(integer_type(node));
  const auto scale = scales.to_doubles();
  const auto zeros = node.input(2) != nullptr ? node.constant_input(2)->to_doubles()
                                              : Result<std::vector<double>>(std::vector<double>());
  auto tensor = *Tensor::allocate_uninitialised(DType::kFloat32, along_axis(node, scales));
  float* numbers = tensor.mutable_data<float>();
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    const auto at = static_cast<size_t>(i);
    const double zero = zeros.ok() && at < zeros->size() ? (*zeros)[at] : 0;
    const double integer = high ? limits.high : limits.low;
    numbers[i] = static_cast<float>(real ? (integer - zero) * (*scale)[at] : integer);
  }
  return tensor;
}

LayerData fake_quantize_data(const Node& node) {
  const Limits limits = *limits_of(integer_type(node));
  return {{"levels", fmt::format("{}", std::lround(limits.high - limits.low) + 1)},
          {"auto_broadcast", "numpy"}};
}

bool same_constant(const Node& a, const Node& b, size_t index) {
  const Tensor* first = a.constant_input(index);
  const Tensor* second = b.constant_input(index);
  if (first == nullptr || second == nullptr) return first == second;
  return identical(*first, *second);
}

// Whether all that reads the integers turns them back at once.
bool is_pair(const Node& quantize) {
  const Value* integers = quantize.outputs[0];
  if (integers->is_graph_output() || integers->uses.empty()) return false;
  return std::ranges::all_of(integers->uses, [&](const Use& use) {
    return use.node->is("DequantizeLinear") && use.index == 0 &&
           same_constant(quantize, *use.node, 1) && same_constant(quantize, *use.node, 2);
  });
}

Status emit_quantize(Emitter& emitter, const Node& node) {
  const bool pair = is_pair(node);
  const Endpoint low = emitter.constant(limit_tensor(node, false, true));
  const Endpoint high = emitter.constant(limit_tensor(node, true, true));
  const Endpoint to_low = pair ? low : emitter.constant(limit_tensor(node, false, false));
  const Endpoint to_high = pair ? high : emitter.constant(limit_tensor(node, true, false));
  const Endpoint rounded = emitter.add(
      node, "FakeQuantize", "opset1", {emitter.input(node, 0), low, high, to_low, to_high},
      fake_quantize_data(node), ValueType::tensor(DType::kFloat32, node.inputs[0]->type.shape));
  if (pair) {
    for (const Use& use : node.outputs[0]->uses) emitter.give(*use.node, 0, rounded);
  } else {
    emitter.give(node, 0, emitter.convert(node, rounded, node.outputs[0]->type.dtype));
  }
  return {};
}

Status emit_dequantize(Emitter& emitter, const Node& node) {
  if (emitter.has(node.outputs[0])) return {};  // its QuantizeLinear has given it
  const Tensor& scales = *node.constant_input(1);
  const Dims dims = along_axis(node, scales);
  const auto shaped = [&](const Tensor& tensor) {
    return tensor.element_count() == 1 ? tensor.reshaped({}) : tensor.reshaped(dims);
  };
  Endpoint result = emitter.convert(node, emitter.input(node, 0), DType::kFloat32);
  const Tensor* zeros = node.constant_input(2);
  const auto zero_points =
      zeros != nullptr ? zeros->to_doubles() : Result<std::vector<double>>(std::vector<double>());
  const bool shifted =
      zero_points.ok() && std::ranges::any_of(*zero_points, [](double zero) { return zero != 0; });
  if (shifted) {
    const Endpoint shift = emitter.convert(node, emitter.constant(shaped(*zeros)), DType::kFloat32);
    result = emitter.binary(node, "Subtract", result, shift);
  }
  result = emitter.binary(node, "Multiply", result, emitter.constant(shaped(scales)));
  emitter.give(node, 0, result);
  return {};
}

constexpr EmitRow kRows[] = {
    {"QuantizeLinear", emit_quantize, has_form},
    {"DequantizeLinear", emit_dequantize, has_form},
};

}  // namespace

std::span<const EmitRow> quantization_rows() { return kRows; }

}  // namespace edgewright::openvino_ir
