// Products, normalisations, indices and shapes, rounding.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "formats/openvino/import.h"

namespace edgewright::openvino_ir {
namespace {

Result<Value*> transposed(Importer& importer, size_t index) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(index));
  EDGEWRIGHT_ASSIGN(const size_t rank, importer.rank(index));
  if (rank < 2) return x;  // a vector has no axes to exchange
  std::vector<int64_t> order(rank);
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[rank - 1], order[rank - 2]);
  Attributes attributes;
  attributes.set("perm", std::move(order));
  Value* result = importer.add("Transpose", {x}, std::move(attributes));
  return result;
}

Status read_matmul(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
  if (importer.flag("transpose_a", false)) {
    EDGEWRIGHT_ASSIGN(a, transposed(importer, 0));
  }
  if (importer.flag("transpose_b", false)) {
    EDGEWRIGHT_ASSIGN(b, transposed(importer, 1));
  }
  return importer.finish("MatMul", {a, b});
}

Status read_einsum(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto inputs, importer.all_inputs());
  Attributes attributes;
  attributes.set("equation", importer.text("equation", ""));
  return importer.finish("Einsum", std::move(inputs), std::move(attributes));
}

Status read_batch_normalization(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto inputs, importer.all_inputs());
  if (inputs.size() != 5) return bad_input("found {} inputs, expected 5", inputs.size());
  EDGEWRIGHT_ASSIGN(const float epsilon, importer.number("epsilon", 1e-5f));
  Attributes attributes;
  attributes.set("epsilon", epsilon);
  return importer.finish("BatchNormalization", std::move(inputs), std::move(attributes));
}

// (x - mean) / sqrt(variance + eps), written out.
Status read_mvn(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * axes, importer.input(1));
  EDGEWRIGHT_ASSIGN(const float epsilon, importer.number("eps", 1e-6f));
  const DType dtype = importer.input_port(0).dtype;
  axes = importer.as_int64(axes);
  Value* mean = importer.add("ReduceMean", {x, axes});
  Value* centred = importer.add("Sub", {x, mean});
  if (!importer.flag("normalize_variance", false)) {
    return importer.finish("Identity", {centred});
  }
  Value* squared = importer.add("Mul", {centred, centred});
  Value* spread = importer.add("ReduceMean", {squared, axes});
  const std::string mode = importer.text("eps_mode", "inside_sqrt");
  const bool inside = mode == "inside_sqrt" || mode == "INSIDE_SQRT";
  if (inside) spread = importer.add("Add", {spread, importer.scalar(epsilon, dtype)});
  spread = importer.add("Sqrt", {spread});
  if (!inside) spread = importer.add("Add", {spread, importer.scalar(epsilon, dtype)});
  return importer.finish("Div", {centred, spread});
}

Status read_group_normalization(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto inputs, importer.all_inputs());
  EDGEWRIGHT_ASSIGN(const int64_t groups, importer.integer("num_groups", 1));
  EDGEWRIGHT_ASSIGN(const float epsilon, importer.number("epsilon", 1e-5f));
  Attributes attributes;
  attributes.set("num_groups", groups);
  attributes.set("epsilon", epsilon);
  return importer.finish("GroupNormalization", std::move(inputs), std::move(attributes));
}

Status read_lrn(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto axes, importer.constant_ints(1));
  if (axes != std::vector<int64_t>{1}) return unsupported("LRN over axes other than 1");
  EDGEWRIGHT_ASSIGN(const float alpha, importer.number("alpha", 1e-4f));
  EDGEWRIGHT_ASSIGN(const float beta, importer.number("beta", 0.75f));
  EDGEWRIGHT_ASSIGN(const float bias, importer.number("bias", 1));
  EDGEWRIGHT_ASSIGN(const int64_t size, importer.integer("size", 1));
  Attributes attributes;
  attributes.set("alpha", alpha);
  attributes.set("beta", beta);
  attributes.set("bias", bias);
  attributes.set("size", size);
  return importer.finish("LRN", {x}, std::move(attributes));
}

Status read_shape(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  if (importer.text("output_type", "i64") == "i64") return importer.finish("Shape", {x});
  Value* shape = importer.add("Shape", {x});
  Attributes attributes;
  attributes.set("to", static_cast<int64_t>(DType::kInt32));
  return importer.finish("Cast", {shape}, std::move(attributes));
}

Status read_range(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto inputs, importer.all_inputs());
  if (inputs.size() != 3) return bad_input("found {} inputs, expected 3", inputs.size());
  const auto to = element_dtype(importer.text("output_type", ""));
  if (!to || *to != importer.input_port(0).dtype) return unsupported("Range of another type");
  return importer.finish("Range", std::move(inputs));
}

Status read_top_k(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto count, importer.constant_ints(1));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.integer("axis", 0));
  if (importer.text("index_element_type", "i32") != "i64") {
    return unsupported("TopK with indices of type {}", importer.text("index_element_type", "i32"));
  }
  Attributes attributes;
  attributes.set("axis", axis);
  attributes.set("largest", int64_t{importer.text("mode", "max") == "max"});
  attributes.set("sorted", int64_t{importer.text("sort", "value") != "none"});
  return importer.finish("TopK", {x, importer.ints(count)}, std::move(attributes));
}

Status read_cumulative_sum(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * axis, importer.input(1));
  Attributes attributes;
  attributes.set("exclusive", int64_t{importer.flag("exclusive", false)});
  attributes.set("reverse", int64_t{importer.flag("reverse", false)});
  return importer.finish("CumSum", {x, importer.as_int64(axis)}, std::move(attributes));
}

Status read_non_zero(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  if (importer.text("output_type", "i64") != "i64") return unsupported("indices of type i32");
  return importer.finish("NonZero", {x});
}

// The numbers of FakeQuantize's limits.
struct Limits {
  std::vector<double> low, high, to_low, to_high;
};
Result<std::optional<Limits>> constant_limits(const Importer& importer) {
  std::vector<double> numbers[4];
  for (size_t i = 0; i < 4; ++i) {
    EDGEWRIGHT_ASSIGN(const Value* value, importer.input(i + 1));
    if (!value->is_constant()) return std::optional<Limits>();
    EDGEWRIGHT_ASSIGN(numbers[i], value->constant->to_doubles());
  }
  return std::optional<Limits>(Limits{numbers[0], numbers[1], numbers[2], numbers[3]});
}

// One scale and a whole zero point of 8 bits: the integers that FakeQuantize stands for.
struct Rounding {
  float scale;
  int zero_point;
};
std::optional<Rounding> rounding_of(const Limits& limits, int64_t levels) {
  if (levels != 256 || limits.low.size() != 1 || limits.high.size() != 1) return {};
  if (limits.low != limits.to_low || limits.high != limits.to_high) return {};
  const double scale = (limits.high[0] - limits.low[0]) / 255;
  if (!(scale > 0) || !std::isfinite(scale)) return {};
  const double zero = -limits.low[0] / scale;
  // The limits were rounded to float32.
  if (!(zero > -1e-3) || zero > 255.001 || std::abs(zero - std::round(zero)) > 1e-3) return {};
  return Rounding{static_cast<float>(scale), static_cast<int>(std::lround(zero))};
}

// y = round((clip(x) - low) (levels - 1) / (high - low)) (to_high - to_low) / (levels - 1) +
// to_low, the definition of FakeQuantize.
Status read_fake_quantize(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto inputs, importer.all_inputs());
  if (inputs.size() != 5) return bad_input("found {} inputs, expected 5", inputs.size());
  EDGEWRIGHT_ASSIGN(const int64_t levels, importer.integer("levels", 256));
  if (levels < 2) return bad_input("found {} levels, expected at least 2", levels);
  EDGEWRIGHT_ASSIGN(const auto limits, constant_limits(importer));
  if (const auto rounding = limits ? rounding_of(*limits, levels) : std::nullopt) {
    Value* scale = importer.constant(Tensor::scalar(rounding->scale));
    Value* zero = importer.constant(Tensor::scalar(static_cast<uint8_t>(rounding->zero_point)));
    Value* integers = importer.add("QuantizeLinear", {inputs[0], scale, zero});
    return importer.finish("DequantizeLinear", {integers, scale, zero});
  }
  const DType dtype = importer.input_port(0).dtype;
  Value* steps = importer.scalar(static_cast<double>(levels - 1), dtype);
  Value* least = importer.add("Min", {inputs[1], inputs[2]});
  Value* most = importer.add("Max", {inputs[1], inputs[2]});
  Value* x = importer.add("Min", {importer.add("Max", {inputs[0], least}), most});
  Value* extent = importer.add("Sub", {inputs[2], inputs[1]});
  x = importer.add("Sub", {x, inputs[1]});
  x = importer.add("Mul", {importer.add("Div", {x, extent}), steps});
  x = importer.add("Div", {importer.add("Round", {x}), steps});
  x = importer.add("Mul", {x, importer.add("Sub", {inputs[4], inputs[3]})});
  return importer.finish("Add", {x, inputs[3]});
}

// Scores where the lower triangle is, minus infinity elsewhere.
Value* masked_causally(Importer& importer, Value* scores, Value* never) {
  Value* shape = importer.add("Shape", {scores});
  Attributes ones, lower, to_bool;
  ones.set("value", Tensor::of<float>({1}, {1.0f}));
  lower.set("upper", int64_t{0});
  to_bool.set("to", static_cast<int64_t>(DType::kBool));
  Value* triangle = importer.add("ConstantOfShape", {shape}, std::move(ones));
  triangle = importer.add("Trilu", {triangle}, std::move(lower));
  triangle = importer.add("Cast", {triangle}, std::move(to_bool));
  return importer.add("Where", {triangle, scores, never});
}

// The fourth input: what is added to the scores, or which of them count. A single 0 stands for
// none.
Result<Value*> masked(Importer& importer, Value* scores, Value* never) {
  if (importer.inputs() < 4) return scores;
  EDGEWRIGHT_ASSIGN(Value * mask, importer.input(3));
  const Port& port = importer.input_port(3);
  if (port.shape && port.shape->empty()) return scores;
  return port.dtype == DType::kBool ? importer.add("Where", {mask, scores, never})
                                    : importer.add("Add", {scores, mask});
}

// softmax(Q K^T scale + mask) V, the definition of ScaledDotProductAttention.
Status read_attention(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * query, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * keys, transposed(importer, 1));
  EDGEWRIGHT_ASSIGN(Value * values, importer.input(2));
  if (importer.inputs() > 5) return unsupported("attention with a sink");
  const Port& port = importer.input_port(0);
  Value* scores = importer.add("MatMul", {query, keys});
  if (importer.inputs() > 4) {
    EDGEWRIGHT_ASSIGN(Value * scale, importer.input(4));
    scores = importer.add("Mul", {scores, scale});
  } else if (port.shape && !port.shape->empty() && port.shape->back().is_known()) {
    const auto size = static_cast<double>(port.shape->back().value);
    scores = importer.add("Mul", {scores, importer.scalar(1 / std::sqrt(size), port.dtype)});
  } else {
    return unsupported("attention without a scale over heads of unknown size");
  }
  Value* never = importer.scalar(-std::numeric_limits<double>::infinity(), port.dtype);
  if (importer.flag("causal", false)) {
    scores = masked_causally(importer, scores, never);
  } else {
    EDGEWRIGHT_ASSIGN(scores, masked(importer, scores, never));
  }
  Attributes attributes;
  attributes.set("axis", int64_t{-1});
  Value* shares = importer.add("Softmax", {scores}, std::move(attributes));
  return importer.finish("MatMul", {shares, values});
}

constexpr ImportRow kRows[] = {
    {"MatMul", read_matmul},
    {"ScaledDotProductAttention", read_attention},
    {"Einsum", read_einsum},
    {"BatchNormInference", read_batch_normalization},
    {"MVN", read_mvn},
    {"GroupNormalization", read_group_normalization},
    {"LRN", read_lrn},
    {"ShapeOf", read_shape},
    {"Range", read_range},
    {"TopK", read_top_k},
    {"CumSum", read_cumulative_sum},
    {"NonZero", read_non_zero},
    {"FakeQuantize", read_fake_quantize},
};

}  // namespace

std::span<const ImportRow> import_other_rows() { return kRows; }

}  // namespace edgewright::openvino_ir
