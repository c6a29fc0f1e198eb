#include <cmath>

#include "formats/openvino/import.h"

namespace edgewright::openvino_ir {
namespace {

Status read_divide(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
  if (is_integer(importer.input_port(0).dtype) && importer.flag("m_pythondiv", true)) {
    // Rounded down, not towards zero: without its remainder, which has the divisor's sign, the
    // dividend is a multiple.
    Value* remainder = importer.add("Mod", {a, b});
    a = importer.add("Sub", {a, remainder});
  }
  return importer.finish("Div", {a, b});
}

Status read_modulus(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
  Attributes attributes;
  attributes.set("fmod", int64_t{importer.layer().type == "Mod"});
  return importer.finish("Mod", {a, b}, std::move(attributes));
}

Status read_squared_difference(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
  Value* difference = importer.add("Sub", {a, b});
  return importer.finish("Mul", {difference, difference});
}

Status read_not_equal(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
  return importer.finish("Not", {importer.add("Equal", {a, b})});
}

Status read_convert(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  const auto to = element_dtype(importer.text("destination_type", ""));
  if (!to) return element_type_error(importer.text("destination_type", ""));
  Attributes attributes;
  attributes.set("to", static_cast<int64_t>(*to));
  return importer.finish("Cast", {x}, std::move(attributes));
}

Status read_convert_like(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * like, importer.input(1));
  return importer.finish("CastLike", {x, like});
}

Status read_select(Importer& importer) {
  EDGEWRIGHT_ASSIGN(auto inputs, importer.all_inputs());
  if (inputs.size() != 3) return bad_input("found {} inputs, expected 3", inputs.size());
  return importer.finish("Where", std::move(inputs));
}

Status read_clamp(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const float low, importer.number("min", -HUGE_VALF));
  EDGEWRIGHT_ASSIGN(const float high, importer.number("max", HUGE_VALF));
  const DType dtype = importer.input_port(0).dtype;
  if (!is_floating_point(dtype)) return unsupported("Clamp of {}", dtype_name(dtype));
  return importer.finish("Clip", {x, importer.scalar(low, dtype), importer.scalar(high, dtype)});
}

Status read_round(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  if (importer.text("mode", "half_to_even") != "half_to_even") {
    return unsupported("rounding mode '{}'", importer.text("mode", ""));
  }
  return importer.finish("Round", {x});
}

// A slope of rank 1 lies along axis 1.
Status read_prelu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * slope, importer.input(1));
  if (!slope->is_constant()) return unsupported("a slope that is no constant");
  Tensor tensor = *slope->constant;
  if (tensor.rank() == 1 && tensor.element_count() > 1) {
    EDGEWRIGHT_ASSIGN(const size_t rank, importer.rank(0));
    if (rank < 2) return bad_input("found {} slopes for a tensor of rank {}", tensor.dim(0), rank);
    Dims dims(rank - 1, 1);
    dims[0] = tensor.element_count();
    slope = importer.constant(tensor.reshaped(dims));
  }
  return importer.finish("PRelu", {x, slope});
}

Status read_elu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const float alpha, importer.number("alpha", 1));
  Attributes attributes;
  attributes.set("alpha", alpha);
  return importer.finish("Elu", {x}, std::move(attributes));
}

Result<float> constant_number(const Importer& importer, size_t index) {
  EDGEWRIGHT_ASSIGN(const Value* value, importer.input(index));
  if (!value->is_constant() || value->constant->element_count() != 1) {
    return unsupported("input {} must be one constant number here", index);
  }
  EDGEWRIGHT_ASSIGN(const auto numbers, value->constant->to_doubles());
  return static_cast<float>(numbers[0]);
}

Status read_selu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const float alpha, constant_number(importer, 1));
  EDGEWRIGHT_ASSIGN(const float lambda, constant_number(importer, 2));
  Attributes attributes;
  attributes.set("alpha", alpha);
  attributes.set("gamma", lambda);
  return importer.finish("Selu", {x}, std::move(attributes));
}

Status read_hard_sigmoid(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const float alpha, constant_number(importer, 1));
  EDGEWRIGHT_ASSIGN(const float beta, constant_number(importer, 2));
  Attributes attributes;
  attributes.set("alpha", alpha);
  attributes.set("beta", beta);
  return importer.finish("HardSigmoid", {x}, std::move(attributes));
}

Status read_hard_sigmoid_sixth(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  Attributes attributes;
  attributes.set("alpha", 1.0f / 6);
  attributes.set("beta", 0.5f);
  return importer.finish("HardSigmoid", {x}, std::move(attributes));
}

Status read_gelu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  const std::string mode = importer.text("approximation_mode", "ERF");
  Attributes attributes;
  attributes.set("approximate", std::string(mode == "TANH" || mode == "tanh" ? "tanh" : "none"));
  return importer.finish("Gelu", {x}, std::move(attributes));
}

Status read_swish(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  float alpha = 1;
  if (importer.inputs() > 1) {
    EDGEWRIGHT_ASSIGN(alpha, constant_number(importer, 1));
  }
  Attributes attributes;
  attributes.set("alpha", alpha);
  return importer.finish("Swish", {x}, std::move(attributes));
}

Status read_softmax(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.integer("axis", 1));
  Attributes attributes;
  attributes.set("axis", axis);
  return importer.finish(importer.layer().type == "LogSoftmax" ? "LogSoftmax" : "Softmax", {x},
                         std::move(attributes));
}

constexpr ImportRow kRows[] = {
    {"Divide", read_divide},
    {"Mod", read_modulus},
    {"FloorMod", read_modulus},
    {"SquaredDifference", read_squared_difference},
    {"NotEqual", read_not_equal},
    {"Convert", read_convert},
    {"ConvertLike", read_convert_like},
    {"Select", read_select},
    {"Clamp", read_clamp},
    {"Round", read_round},
    {"PReLU", read_prelu},
    {"Elu", read_elu},
    {"Selu", read_selu},
    {"HardSigmoid", read_hard_sigmoid},
    {"HSigmoid", read_hard_sigmoid_sixth},
    {"Gelu", read_gelu},
    {"Swish", read_swish},
    {"SoftMax", read_softmax},
    {"Softmax", read_softmax},
    {"LogSoftmax", read_softmax},
};

}  // namespace

std::span<const ImportRow> import_element_rows() { return kRows; }

}  // namespace edgewright::openvino_ir
