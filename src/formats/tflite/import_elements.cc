#include "formats/tflite/import.h"

namespace edgewright::tflite_io {
namespace {

// QUANTIZE and DEQUANTIZE: what rounds is the tensor that they write.
Status read_rounding(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  if (importer.code() == Operator::DEQUANTIZE && x->type.dtype == DType::kFloat16) {
    Attributes attributes;
    attributes.set("to", static_cast<int64_t>(DType::kFloat32));
    return importer.finish(importer.add("Cast", {x}, std::move(attributes)));
  }
  return importer.finish(importer.add("Identity", {x}));
}

Status read_clip(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  const float low = importer.code() == Operator::RELU_N1_TO_1 ? -1 : 0;
  const float high = importer.code() == Operator::RELU6 ? 6 : 1;
  return importer.finish(importer.add("Clip", {x, importer.number(low), importer.number(high)}));
}

Status read_elu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  return importer.finish(importer.add("Elu", {x}));
}

Status read_leaky_relu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::LeakyReluOptions>());
  Attributes attributes;
  attributes.set("alpha", options->alpha());
  return importer.finish(importer.add("LeakyRelu", {x}, std::move(attributes)));
}

Status read_prelu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * slope, importer.input(1));
  return importer.finish(importer.add("PRelu", {x, slope}));
}

Status read_gelu(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  const auto* options = importer.table<schema::GeluOptions>();
  const bool tanh = options != nullptr && options->approximate();
  Attributes attributes;
  attributes.set("approximate", std::string(tanh ? "tanh" : "none"));
  return importer.finish(importer.add("Gelu", {x}, std::move(attributes)));
}

Status read_rsqrt(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  return importer.finish(importer.add("Reciprocal", {importer.add("Sqrt", {x})}));
}

Status read_square(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  return importer.finish(importer.add("Mul", {x, x}, {}, x->type.dtype));
}

Status read_squared_difference(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
  Value* difference = importer.add("Sub", {a, b}, {}, a->type.dtype);
  return importer.finish(importer.add("Mul", {difference, difference}, {}, a->type.dtype));
}

Status read_not_equal(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
  return importer.finish(
      importer.add("Not", {importer.add("Equal", {a, b}, {}, DType::kBool)}, {}, DType::kBool));
}

Status read_modulus(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
  if (is_floating_point(a->type.dtype)) return unsupported("FLOOR_MOD of floats");
  return importer.finish(importer.add("Mod", {a, b}, {}, a->type.dtype));
}

Status read_select(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * condition, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(1));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(2));
  return importer.finish(importer.add("Where", {condition, a, b}, {}, a->type.dtype));
}

Status read_cast(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const DType to, importer.output_dtype(0));
  Attributes attributes;
  attributes.set("to", static_cast<int64_t>(to));
  return importer.finish(importer.add("Cast", {x}, std::move(attributes), to));
}

Status read_softmax(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  const bool log = importer.code() == Operator::LOG_SOFTMAX;
  Attributes attributes;
  attributes.set("axis", int64_t{-1});
  if (!log) {
    EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::SoftmaxOptions>());
    if (options->beta() != 1) {
      x = importer.add("Mul", {x, importer.number(options->beta())});
    }
  }
  return importer.finish(importer.add(log ? "LogSoftmax" : "Softmax", {x}, std::move(attributes)));
}

Status read_matmul(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * a, importer.input(0));
  EDGEWRIGHT_ASSIGN(Value * b, importer.input(1));
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::BatchMatMulOptions>());
  const auto exchanged = [&](Value* value, size_t index) -> Result<Value*> {
    EDGEWRIGHT_ASSIGN(const Dims dims, importer.dims(index));
    if (dims.size() < 2) return bad_input("input {} has rank {}", index, dims.size());
    std::vector<int64_t> order(dims.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
    std::swap(order[order.size() - 1], order[order.size() - 2]);
    return importer.transpose(value, order);
  };
  if (options->adj_x()) {
    EDGEWRIGHT_ASSIGN(a, exchanged(a, 0));
  }
  if (options->adj_y()) {
    EDGEWRIGHT_ASSIGN(b, exchanged(b, 1));
  }
  return importer.finish(importer.add("MatMul", {a, b}));
}

// x W' + b. Without keep_num_dims all but the last axis become one.
Status read_fully_connected(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const Dims weight_dims, importer.dims(1));
  EDGEWRIGHT_ASSIGN(Value * weights, importer.weights(1, {1, 0}));
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::FullyConnectedOptions>());
  if (options->weights_format() != 0) return unsupported("shuffled weights");
  EDGEWRIGHT_ASSIGN(const Dims dims, importer.dims(0));
  const bool joins = !options->keep_num_dims() && dims.size() != 2;
  if (joins) x = importer.add("Reshape", {x, importer.int_list({-1, weight_dims[1]})});
  Value* result = importer.add("MatMul", {x, weights});
  if (importer.has_input(2)) {
    EDGEWRIGHT_ASSIGN(Value * bias, importer.input(2));
    result = importer.add("Add", {result, bias});
  }
  return importer.finish(result, options->fused_activation_function());
}

Status read_l2_normalization(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  Value* norm = importer.add("ReduceL2", {x, importer.int_list({-1})});
  return importer.finish(importer.add("Div", {x, norm}));
}

Status read_arg(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.one_int(1));
  Attributes attributes;
  attributes.set("axis", axis);
  attributes.set("keepdims", int64_t{0});
  Value* result = importer.add(importer.code() == Operator::ARG_MAX ? "ArgMax" : "ArgMin", {x},
                               std::move(attributes), DType::kInt64);
  EDGEWRIGHT_ASSIGN(const DType to, importer.output_dtype(0));
  if (to != DType::kInt64) {
    Attributes cast;
    cast.set("to", static_cast<int64_t>(to));
    result = importer.add("Cast", {result}, std::move(cast), to);
  }
  return importer.finish(result);
}

Status read_cumulative_sum(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input(0));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.one_int(1));
  EDGEWRIGHT_ASSIGN(const auto* options, importer.options<schema::CumsumOptions>());
  Attributes attributes;
  attributes.set("exclusive", int64_t{options->exclusive()});
  attributes.set("reverse", int64_t{options->reverse()});
  return importer.finish(importer.add("CumSum", {x, importer.constant(Tensor::scalar(axis))},
                                      std::move(attributes), x->type.dtype));
}

constexpr ImportRow kRows[] = {
    {Operator::QUANTIZE, read_rounding},
    {Operator::DEQUANTIZE, read_rounding},
    {Operator::RELU6, read_clip},
    {Operator::RELU_N1_TO_1, read_clip},
    {Operator::RELU_0_TO_1, read_clip},
    {Operator::ELU, read_elu},
    {Operator::LEAKY_RELU, read_leaky_relu},
    {Operator::PRELU, read_prelu},
    {Operator::GELU, read_gelu},
    {Operator::RSQRT, read_rsqrt},
    {Operator::SQUARE, read_square},
    {Operator::SQUARED_DIFFERENCE, read_squared_difference},
    {Operator::NOT_EQUAL, read_not_equal},
    {Operator::FLOOR_MOD, read_modulus},
    {Operator::SELECT_V2, read_select},
    {Operator::CAST, read_cast},
    {Operator::SOFTMAX, read_softmax},
    {Operator::LOG_SOFTMAX, read_softmax},
    {Operator::BATCH_MATMUL, read_matmul},
    {Operator::FULLY_CONNECTED, read_fully_connected},
    {Operator::L2_NORMALIZATION, read_l2_normalization},
    {Operator::ARG_MAX, read_arg},
    {Operator::ARG_MIN, read_arg},
    {Operator::CUMSUM, read_cumulative_sum},
};

}  // namespace

std::span<const ImportRow> import_element_rows() { return kRows; }

}  // namespace edgewright::tflite_io
