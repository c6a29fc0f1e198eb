// edgewright::QuantizedConv2d and the other operators on bytes as the chains of ai.onnx operators
// that they stand for; attributes are listed in passes/lowering.h.
#include "kernels/families.h"
#include "kernels/fused/inner_call.h"
#include "kernels/fused/named_activation.h"

namespace edgewright {
namespace {

Datum input_or_none(const OpCall& call, size_t i) {
  return call.has_input(i) ? call.inputs[i] : Datum();
}

Result<Tensor> apply(std::string_view op, Datum a, Datum b) {
  return InnerCall::run(op, {}, {std::move(a), std::move(b)});
}

// A zero point of the type; kBadInput where it does not fit.
Result<Tensor> zero_point(const OpCall& call, std::string_view name, DType dtype) {
  const int64_t value = call.attributes->get_int(name, 0);
  if (dtype == DType::kInt8 && value >= -128 && value <= 127) {
    return Tensor::scalar(static_cast<int8_t>(value));
  }
  if (dtype == DType::kUint8 && value >= 0 && value <= 255) {
    return Tensor::scalar(static_cast<uint8_t>(value));
  }
  return bad_input("{} has {} {} for {}", call.op, name, value, dtype_name(dtype));
}

Result<Tensor> quantised(const OpCall& call, const Tensor& x, std::string_view scale,
                         std::string_view zero, DType dtype) {
  EDGEWRIGHT_ASSIGN(const Tensor point, zero_point(call, zero, dtype));
  const float factor = call.attributes->get_float(scale, 1.0f);
  return InnerCall::run("QuantizeLinear", {}, {x, Tensor::scalar(factor), point});
}

Result<Tensor> dequantised(const OpCall& call, const Tensor& x, std::string_view scale,
                           std::string_view zero) {
  if (x.dtype() == DType::kFloat32) return x;
  EDGEWRIGHT_ASSIGN(const Tensor point, zero_point(call, zero, x.dtype()));
  const float factor = call.attributes->get_float(scale, 1.0f);
  return InnerCall::run("DequantizeLinear", {}, {x, Tensor::scalar(factor), point});
}

// Everything behind the factors and the bias.
Status finish(OpCall& call, Tensor v) {
  const Attributes& a = *call.attributes;
  if (a.contains("product_scale")) {
    const DType type = a.get_int("product_is_signed", 0) != 0 ? DType::kInt8 : DType::kUint8;
    EDGEWRIGHT_ASSIGN(v, quantised(call, v, "product_scale", "product_zero", type));
    EDGEWRIGHT_ASSIGN(v, dequantised(call, v, "product_scale", "product_zero"));
  }
  if (call.has_input(4)) {
    EDGEWRIGHT_ASSIGN(const Tensor* residual, call.tensor(4));
    EDGEWRIGHT_ASSIGN(Tensor real, dequantised(call, *residual, "residual_scale", "residual_zero"));
    EDGEWRIGHT_ASSIGN(v, apply("Add", v, real));
  }
  Attributes parameters;
  for (const char* key : {"alpha", "beta"}) {
    if (const AttributeValue* value = a.find(key)) parameters.set(key, *value);
  }
  EDGEWRIGHT_ASSIGN(v, activate(v, a.get_string("activation", ""), parameters));
  if (call.output_count > 1) call.set_output(1, v);
  const auto type = static_cast<DType>(a.get_int("y_type", static_cast<int64_t>(DType::kFloat32)));
  if (type != DType::kFloat32) {
    EDGEWRIGHT_ASSIGN(v, quantised(call, v, "y_scale", "y_zero", type));
  }
  call.set_output(0, std::move(v));
  return {};
}

// Per-column values beside the axes behind the columns.
Result<Tensor> as_channels(const OpCall& call, size_t input, size_t axes_behind) {
  EDGEWRIGHT_ASSIGN(const Tensor* values, call.tensor(input));
  std::vector<int64_t> dims(1 + axes_behind, 1);
  dims[0] = values->element_count();
  const auto rank = static_cast<int64_t>(dims.size());
  return InnerCall::run("Reshape", {}, {*values, Tensor::of<int64_t>({rank}, dims)});
}

Status scale_and_finish(OpCall& call, const Tensor& sums, size_t axes_behind) {
  Attributes to_float;
  to_float.set("to", static_cast<int64_t>(DType::kFloat32));
  EDGEWRIGHT_ASSIGN(Tensor v, InnerCall::run("Cast", to_float, {sums}));
  EDGEWRIGHT_ASSIGN(const Tensor factors, as_channels(call, 2, axes_behind));
  EDGEWRIGHT_ASSIGN(v, apply("Mul", v, factors));
  if (call.has_input(3)) {
    EDGEWRIGHT_ASSIGN(const Tensor bias, as_channels(call, 3, axes_behind));
    EDGEWRIGHT_ASSIGN(v, apply("Add", v, bias));
  }
  return finish(call, std::move(v));
}

Status quantized_conv2d(OpCall& call) {
  Attributes attributes;
  for (const char* key : {"strides", "pads", "dilations", "group"}) {
    if (const AttributeValue* value = call.attributes->find(key)) attributes.set(key, *value);
  }
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  if (x->rank() < 2) return bad_input("{} of a tensor of rank {}", call.op, x->rank());
  EDGEWRIGHT_ASSIGN(const Tensor zero, zero_point(call, "x_zero", x->dtype()));
  EDGEWRIGHT_ASSIGN(const Tensor sums,
                    InnerCall::run("ConvInteger", attributes, {*x, input_or_none(call, 1), zero}));
  return scale_and_finish(call, sums, x->rank() - 2);
}

// The last two axes exchanged where the attribute says so.
Result<Tensor> side(const OpCall& call, size_t input, std::string_view attribute) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(input));
  if (call.attributes->get_int(attribute, 0) == 0) return *x;
  if (x->rank() < 2) return bad_input("{} of a tensor of rank {}", call.op, x->rank());
  std::vector<int64_t> order(x->rank());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::swap(order[x->rank() - 1], order[x->rank() - 2]);
  Attributes transpose;
  transpose.set("perm", order);
  return InnerCall::run("Transpose", transpose, {*x});
}

Status quantized_matmul(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor a, side(call, 0, "transpose_a"));
  EDGEWRIGHT_ASSIGN(const Tensor b, side(call, 1, "transpose_b"));
  EDGEWRIGHT_ASSIGN(const Tensor a_zero, zero_point(call, "x_zero", a.dtype()));
  EDGEWRIGHT_ASSIGN(const Tensor b_zero, zero_point(call, "w_zero", b.dtype()));
  EDGEWRIGHT_ASSIGN(const Tensor sums, InnerCall::run("MatMulInteger", {}, {a, b, a_zero, b_zero}));
  return scale_and_finish(call, sums, 0);
}

Result<Tensor> rounded(const OpCall& call, const Tensor& x, const std::string& name) {
  const auto type = static_cast<DType>(
      call.attributes->get_int(name + "_type", static_cast<int64_t>(DType::kUint8)));
  EDGEWRIGHT_ASSIGN(const Tensor bytes, quantised(call, x, name + "_scale", name + "_zero", type));
  return dequantised(call, bytes, name + "_scale", name + "_zero");
}

// Part `part` of three as [B,heads,S,size].
Result<Tensor> head_part(const OpCall& call, const Tensor& x, int64_t part, int64_t heads) {
  const auto number = [](int64_t value) { return Datum(Tensor::of<int64_t>({1}, {value})); };
  const int64_t width = x.dim(2) / 3;
  EDGEWRIGHT_ASSIGN(
      Tensor cut, InnerCall::run("Slice", {},
                                 {x, number(part * width), number((part + 1) * width), number(2)}));
  EDGEWRIGHT_ASSIGN(cut, rounded(call, cut, part == 0 ? "q" : part == 1 ? "k" : "v"));
  const Tensor shape = Tensor::of<int64_t>({4}, {x.dim(0), x.dim(1), heads, width / heads});
  EDGEWRIGHT_ASSIGN(cut, InnerCall::run("Reshape", {}, {cut, shape}));
  Attributes order;
  order.set("perm",
            part == 1 ? std::vector<int64_t>{0, 2, 3, 1} : std::vector<int64_t>{0, 2, 1, 3});
  return InnerCall::run("Transpose", order, {cut});
}

Status quantized_attention(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  const int64_t heads = call.attributes->get_int("num_heads", 1);
  if (x->rank() != 3 || heads < 1 || x->dim(2) % (3 * heads) != 0) {
    return bad_input("{} over {} does not fit {} heads", call.op, dims_text(x->dims()), heads);
  }
  EDGEWRIGHT_ASSIGN(const Tensor q, head_part(call, *x, 0, heads));
  EDGEWRIGHT_ASSIGN(const Tensor k, head_part(call, *x, 1, heads));
  EDGEWRIGHT_ASSIGN(const Tensor v, head_part(call, *x, 2, heads));
  EDGEWRIGHT_ASSIGN(Tensor scores, apply("MatMul", q, k));
  const float scale = call.attributes->get_float("scale", 1.0f);
  EDGEWRIGHT_ASSIGN(scores, apply("Mul", scores, Tensor::scalar(scale)));
  Attributes last_axis;
  last_axis.set("axis", int64_t{-1});
  EDGEWRIGHT_ASSIGN(scores, InnerCall::run("Softmax", last_axis, {scores}));
  EDGEWRIGHT_ASSIGN(scores, rounded(call, scores, "weights"));
  EDGEWRIGHT_ASSIGN(Tensor y, apply("MatMul", scores, v));
  Attributes order;
  order.set("perm", std::vector<int64_t>{0, 2, 1, 3});
  EDGEWRIGHT_ASSIGN(y, InnerCall::run("Transpose", order, {y}));
  const Tensor shape = Tensor::of<int64_t>({3}, {x->dim(0), x->dim(1), x->dim(2) / 3});
  EDGEWRIGHT_ASSIGN(y, InnerCall::run("Reshape", {}, {y, shape}));
  const auto type =
      static_cast<DType>(call.attributes->get_int("y_type", static_cast<int64_t>(DType::kUint8)));
  EDGEWRIGHT_ASSIGN(y, quantised(call, y, "y_scale", "y_zero", type));
  call.set_output(0, std::move(y));
  return {};
}

// DequantizeLinear, the operator, and QuantizeLinear where the result is of 8 bits.
Status finish_window(OpCall& call, std::string_view op, const Attributes& attributes,
                     std::vector<Datum> more) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor real, dequantised(call, *x, "x_scale", "x_zero"));
  std::vector<Datum> inputs = {real};
  inputs.insert(inputs.end(), more.begin(), more.end());
  EDGEWRIGHT_ASSIGN(Tensor y, InnerCall::run(op, attributes, std::move(inputs)));
  const auto type =
      static_cast<DType>(call.attributes->get_int("y_type", static_cast<int64_t>(DType::kFloat32)));
  if (type != DType::kFloat32) {
    EDGEWRIGHT_ASSIGN(y, quantised(call, y, "y_scale", "y_zero", type));
  }
  call.set_output(0, std::move(y));
  return {};
}

Status quantized_average_pool(OpCall& call) {
  Attributes attributes;
  for (const char* key : {"kernel_shape", "strides", "pads", "count_include_pad"}) {
    if (const AttributeValue* value = call.attributes->find(key)) attributes.set(key, *value);
  }
  return finish_window(call, "AveragePool", attributes, {});
}

// The sizes of the result are an attribute: what a plan knows of its values is not to be had here.
Status quantized_resize(OpCall& call) {
  Attributes attributes;
  attributes.set("mode", std::string("linear"));
  attributes.set("coordinate_transformation_mode",
                 call.attributes->get_string("coordinate_transformation_mode", "half_pixel"));
  const std::vector<int64_t> sizes = call.attributes->get_ints("sizes");
  const auto count = static_cast<int64_t>(sizes.size());
  return finish_window(call, "Resize", attributes,
                       {Datum(), Datum(), Tensor::of<int64_t>({count}, sizes)});
}

constexpr ReferenceKernel kKernels[] = {
    {"edgewright", "QuantizedAttention", quantized_attention},
    {"edgewright", "QuantizedAveragePool", quantized_average_pool},
    {"edgewright", "QuantizedConv2d", quantized_conv2d},
    {"edgewright", "QuantizedMatMul", quantized_matmul},
    {"edgewright", "QuantizedResize", quantized_resize},
};

}  // namespace

std::span<const ReferenceKernel> integer_reference_kernels() { return kKernels; }

}  // namespace edgewright
