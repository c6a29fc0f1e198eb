// Operations that work element by element.
#include <algorithm>
#include <cmath>

#include "formats/coreml/import.h"
#include "formats/coreml/names.h"

namespace edgewright::coreml {
namespace {

std::string operator_of(std::span<const NameRow> rows, const Importer& importer) {
  const auto it = std::ranges::find(rows, importer.operation().type, &NameRow::operation);
  return std::string(it->op);
}

Status read_unary(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  return importer.finish(importer.add(operator_of(unary_names(), importer), {x}, x->type.dtype));
}

Status read_binary(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(Value * y, importer.input("y"));
  const std::string op = operator_of(binary_names(), importer);
  EDGEWRIGHT_ASSIGN(const ValueType type, importer.output_type());
  return importer.finish(importer.add(op, {x, y}, type.dtype));
}

Status read_not_equal(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(Value * y, importer.input("y"));
  Value* equal = importer.add("Equal", {x, y}, DType::kBool);
  return importer.finish(importer.add("Not", {equal}, DType::kBool));
}

Status read_square(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  return importer.finish(importer.add("Mul", {x, x}, x->type.dtype));
}

Status read_silu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  Value* gate = importer.add("Sigmoid", {x}, x->type.dtype);
  return importer.finish(importer.add("Mul", {x, gate}, x->type.dtype));
}

// Something is added to the input first, so that no logarithm or quotient of zero is taken.
Status read_with_epsilon(Importer& importer) {
  const std::string& type = importer.operation().type;
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  const float otherwise = type == "log" ? 0 : type == "inverse" ? 1e-4f : 1e-12f;
  EDGEWRIGHT_ASSIGN(const float epsilon, importer.number("epsilon", otherwise));
  const DType dtype = x->type.dtype;
  if (epsilon != 0) x = importer.add("Add", {x, importer.scalar_like(x, epsilon)}, dtype);
  if (type == "rsqrt") x = importer.add("Sqrt", {x}, dtype);
  return importer.finish(importer.add(type == "log" ? "Log" : "Reciprocal", {x}, dtype));
}

Status read_clip(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  const bool is_six = importer.operation().type == "relu6";
  EDGEWRIGHT_ASSIGN(const float low, importer.number("alpha", 0));
  EDGEWRIGHT_ASSIGN(const float high, importer.number("beta", 6));
  if (!is_six && (!importer.has("alpha") || !importer.has("beta"))) {
    return bad_input("found no 'alpha' or no 'beta'");
  }
  return importer.finish(importer.add(
      "Clip", {x, importer.scalar_like(x, low), importer.scalar_like(x, high)}, x->type.dtype));
}

Status read_leaky(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  const bool is_elu = importer.operation().type == "elu";
  Attributes attributes;
  EDGEWRIGHT_ASSIGN(const float alpha, importer.number("alpha", is_elu ? 1.0f : 0.01f));
  attributes.set("alpha", alpha);
  return importer.finish(
      importer.add(is_elu ? "Elu" : "LeakyRelu", {x}, x->type.dtype, std::move(attributes)));
}

Status read_hard_sigmoid(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const float alpha, importer.number("alpha", 0.2f));
  EDGEWRIGHT_ASSIGN(const float beta, importer.number("beta", 0.5f));
  Attributes attributes;
  attributes.set("alpha", alpha);
  attributes.set("beta", beta);
  return importer.finish(importer.add("HardSigmoid", {x}, x->type.dtype, std::move(attributes)));
}

Status read_gelu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const std::string mode, importer.text("mode", "EXACT"));
  const DType dtype = x->type.dtype;
  if (mode == "SIGMOID_APPROXIMATION") {
    Value* scaled = importer.add("Mul", {x, importer.scalar_like(x, 1.702)}, dtype);
    Value* gate = importer.add("Sigmoid", {scaled}, dtype);
    return importer.finish(importer.add("Mul", {x, gate}, dtype));
  }
  if (mode != "EXACT" && mode != "TANH_APPROXIMATION") return bad_input("mode '{}'", mode);
  Attributes attributes;
  attributes.set("approximate", std::string(mode == "EXACT" ? "none" : "tanh"));
  return importer.finish(importer.add("Gelu", {x}, dtype, std::move(attributes)));
}

// Slopes per channel of axis 1.
Status read_prelu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const Tensor slopes, importer.constant_of("alpha"));
  EDGEWRIGHT_ASSIGN(const Dims dims, importer.dims("x"));
  if (dims.size() < 2 || slopes.rank() != 1 || slopes.dtype() != x->type.dtype) {
    return bad_input("slopes of rank {} for an input of rank {}", slopes.rank(), dims.size());
  }
  Dims wide(dims.size() - 1, 1);
  wide[0] = slopes.element_count();
  return importer.finish(
      importer.add("PRelu", {x, importer.constant(slopes.reshaped(wide))}, x->type.dtype));
}

Status read_select(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * condition, importer.input("cond"));
  EDGEWRIGHT_ASSIGN(Value * a, importer.input("a"));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input("b"));
  return importer.finish(importer.add("Where", {condition, a, b}, a->type.dtype));
}

struct CastRow {
  std::string_view name;
  DType dtype;
};
constexpr CastRow kCasts[] = {{"fp16", DType::kFloat16}, {"fp32", DType::kFloat32},
                              {"int32", DType::kInt32},  {"bool", DType::kBool},
                              {"int8", DType::kInt8},    {"uint8", DType::kUint8},
                              {"int16", DType::kInt16},  {"uint16", DType::kUint16}};

Status read_cast(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const std::string name, importer.text("dtype", ""));
  const auto* row = std::ranges::find(kCasts, name, &CastRow::name);
  if (row == std::end(kCasts)) return bad_input("dtype '{}'", name);
  Attributes attributes;
  attributes.set("to", static_cast<int64_t>(row->dtype));
  return importer.finish(importer.add("Cast", {x}, row->dtype, std::move(attributes)));
}

constexpr ImportRow kRows[] = {
    {"not_equal", read_not_equal},
    {"square", read_square},
    {"silu", read_silu},
    {"log", read_with_epsilon},
    {"inverse", read_with_epsilon},
    {"rsqrt", read_with_epsilon},
    {"clip", read_clip},
    {"relu6", read_clip},
    {"elu", read_leaky},
    {"leaky_relu", read_leaky},
    {"sigmoid_hard", read_hard_sigmoid},
    {"gelu", read_gelu},
    {"prelu", read_prelu},
    {"select", read_select},
    {"cast", read_cast},
};

}  // namespace

std::span<const ImportRow> import_element_rows() { return kRows; }

ReadFunction named_reader(std::string_view type) {
  const auto has = [&](std::span<const NameRow> rows) {
    return std::ranges::find(rows, type, &NameRow::operation) != rows.end();
  };
  if (has(unary_names())) return read_unary;
  return has(binary_names()) ? read_binary : nullptr;
}

}  // namespace edgewright::coreml
