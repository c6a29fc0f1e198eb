// The operators of domain "edgewright" as the chains of ai.onnx operators that they stand for; the
// list is in passes/lowering.h. Layouts are not seen here: reference kernels read plain tensors.
#include <charconv>

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

// Residual and activation of a fused product; gives the result as output 0.
Status finish(OpCall& call, Tensor result, size_t residual_input) {
  const bool before = call.attributes->get_int("residual_before_activation", 1) != 0;
  const auto add_residual = [&]() -> Status {
    if (!call.has_input(residual_input)) return {};
    EDGEWRIGHT_ASSIGN(result, apply("Add", result, call.inputs[residual_input]));
    return {};
  };
  if (before) EDGEWRIGHT_TRY(add_residual());
  Attributes parameters;
  for (const char* key : {"alpha", "beta"}) {
    if (const AttributeValue* value = call.attributes->find(key)) parameters.set(key, *value);
  }
  const std::string name = call.attributes->get_string("activation", "");
  EDGEWRIGHT_ASSIGN(result, activate(result, name, parameters));
  if (!before) EDGEWRIGHT_TRY(add_residual());
  call.set_output(0, std::move(result));
  return {};
}

Status conv2d(OpCall& call) {
  Attributes attributes;
  for (const char* key : {"strides", "pads", "dilations", "group"}) {
    if (const AttributeValue* value = call.attributes->find(key)) attributes.set(key, *value);
  }
  EDGEWRIGHT_ASSIGN(Tensor product, InnerCall::run("Conv", attributes,
                                                   {input_or_none(call, 0), input_or_none(call, 1),
                                                    input_or_none(call, 2)}));
  return finish(call, std::move(product), 3);
}

// The last two axes exchanged.
Result<Tensor> transposed(const Tensor& x) {
  if (x.rank() < 2) return bad_input("a matrix product of a tensor of rank {}", x.rank());
  std::vector<int64_t> order(x.rank());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::swap(order[x.rank() - 1], order[x.rank() - 2]);
  Attributes attributes;
  attributes.set("perm", order);
  return InnerCall::run("Transpose", attributes, {x});
}

Status matmul(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* given_a, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* given_b, call.tensor(1));
  Tensor a = *given_a, b = *given_b;
  if (call.attributes->get_int("transpose_a", 0) != 0) {
    EDGEWRIGHT_ASSIGN(a, transposed(a));
  }
  if (call.attributes->get_int("transpose_b", 0) != 0) {
    EDGEWRIGHT_ASSIGN(b, transposed(b));
  }
  EDGEWRIGHT_ASSIGN(Tensor product, apply("MatMul", a, b));
  const float scale = call.attributes->get_float("alpha_scale", 1.0f);
  if (scale != 1.0f) {
    EDGEWRIGHT_ASSIGN(product, apply("Mul", product, Tensor::scalar(scale)));
  }
  if (call.has_input(2)) {
    EDGEWRIGHT_ASSIGN(product, apply("Add", product, call.inputs[2]));
  }
  return finish(call, std::move(product), 3);
}

// Columns [from, from + count) of the last axis.
Result<Tensor> columns(const Tensor& x, int64_t from, int64_t count) {
  const auto slice = [](int64_t value) { return Datum(Tensor::of<int64_t>({1}, {value})); };
  return InnerCall::run("Slice", {}, {x, slice(from), slice(from + count), slice(-1)});
}

// Cuts a packed input into Q, K and V.
Status unpack(const Tensor& packed, int64_t heads, int64_t kv_heads, std::vector<Datum>& parts) {
  if (packed.rank() != 3 || heads < 1 || kv_heads < 1 ||
      packed.dim(2) % (heads + 2 * kv_heads) != 0) {
    return bad_input("packed attention over {} does not fit {} heads", dims_text(packed.dims()),
                     heads);
  }
  const int64_t size = packed.dim(2) / (heads + 2 * kv_heads);
  const int64_t widths[] = {heads * size, kv_heads * size, kv_heads * size};
  int64_t from = 0;
  for (size_t i = 0; i < 3; from += widths[i++]) {
    EDGEWRIGHT_ASSIGN(parts[i], columns(packed, from, widths[i]));
  }
  return {};
}

Status attention(OpCall& call) {
  Attributes attributes;
  const int64_t heads = call.attributes->get_int("num_heads", 1);
  attributes.set("q_num_heads", heads);
  attributes.set("kv_num_heads", call.attributes->get_int("kv_num_heads", heads));
  attributes.set("is_causal", call.attributes->get_int("unidirectional", 0));
  if (const AttributeValue* scale = call.attributes->find("scale")) attributes.set("scale", *scale);
  std::vector<Datum> inputs = {input_or_none(call, 0), input_or_none(call, 1),
                               input_or_none(call, 2), input_or_none(call, 3)};
  if (call.attributes->get_int("packed_qkv", 0) != 0) {
    EDGEWRIGHT_ASSIGN(const Tensor* packed, call.tensor(0));
    EDGEWRIGHT_TRY(unpack(*packed, heads, call.attributes->get_int("kv_num_heads", heads), inputs));
  }
  EDGEWRIGHT_ASSIGN(Tensor result, InnerCall::run("Attention", attributes, std::move(inputs)));
  call.set_output(0, std::move(result));
  return {};
}

// ---- Elementwise ----

template <class T>
bool parse_whole(std::string_view text, T& value) {
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  return read.ec == std::errc() && read.ptr == end;
}

Result<Datum> operand(const OpCall& call, std::span<const Tensor> results, std::string_view text) {
  float number = 0;
  if (parse_whole(text, number)) return Datum(Tensor::scalar(number));
  size_t index = 0;
  if (text.size() > 1 && parse_whole(text.substr(1), index)) {
    if (text[0] == 'i' && call.has_input(index)) return call.inputs[index];
    if (text[0] == 't' && index < results.size()) return Datum(results[index]);
  }
  return bad_input("operand '{}' of an element-wise program is not valid", text);
}

// Quantisation between float and bytes with one scale.
Result<Tensor> run_linear(std::string_view op, const Tensor& x, float scale, float zero) {
  const bool from_bytes = op == "Dequantize";
  const bool is_signed = op == "QuantizeInt8" || (from_bytes && x.dtype() == DType::kInt8);
  const Tensor point = is_signed ? Tensor::scalar(static_cast<int8_t>(zero))
                                 : Tensor::scalar(static_cast<uint8_t>(zero));
  return InnerCall::run(from_bytes ? "DequantizeLinear" : "QuantizeLinear", {},
                        {x, Tensor::scalar(scale), point});
}

// Operators whose parameters are attributes in ai.onnx have them as operands here.
Result<Tensor> run_element(std::string_view op, std::vector<Datum> operands) {
  const auto number = [&](size_t i) {
    return i < operands.size() ? operands[i].tensor().elements<float>()[0] : 0.0f;
  };
  if (op == "LeakyRelu" || op == "HardSigmoid") {
    Attributes parameters;
    parameters.set("alpha", number(1));
    if (op == "HardSigmoid") parameters.set("beta", number(2));
    return InnerCall::run(op, parameters, {operands[0]});
  }
  if (op == "Dequantize" || op == "QuantizeUint8" || op == "QuantizeInt8") {
    return run_linear(op, operands[0].tensor(), number(1), number(2));
  }
  if (op == "Silu" || op == "Gelu" || op == "GeluTanh") {
    return activate(operands[0].tensor(), op, {});
  }
  return InnerCall::run(op, {}, std::move(operands));
}

// "t0=Add(i0,1.5)" with the results so far.
Result<Tensor> run_statement(const OpCall& call, std::span<const Tensor> results,
                             std::string_view text) {
  const size_t equals = text.find('='), open = text.find('(');
  if (equals == std::string_view::npos || open == std::string_view::npos || open < equals ||
      text.back() != ')') {
    return bad_input("statement '{}' of an element-wise program is not valid", text);
  }
  const std::string_view op = text.substr(equals + 1, open - equals - 1);
  std::string_view list = text.substr(open + 1, text.size() - open - 2);
  std::vector<Datum> operands;
  for (bool more = true; more;) {
    const size_t comma = list.find(',');
    more = comma != std::string_view::npos;
    EDGEWRIGHT_ASSIGN(Datum value, operand(call, results, list.substr(0, comma)));
    if (!value.is_tensor()) return bad_input("an element-wise program reads what is no tensor");
    operands.push_back(std::move(value));
    if (more) list.remove_prefix(comma + 1);
  }
  return run_element(op, std::move(operands));
}

Status elementwise(OpCall& call) {
  const std::string text = call.attributes->get_string("program", "");
  std::string_view program = text;
  std::vector<Tensor> results;
  for (bool more = true; more;) {
    const size_t end = program.find(';');
    more = end != std::string_view::npos;
    EDGEWRIGHT_ASSIGN(Tensor result, run_statement(call, results, program.substr(0, end)));
    results.push_back(std::move(result));
    if (more) program.remove_prefix(end + 1);
  }
  call.set_output(0, std::move(results.back()));
  return {};
}

Status reorder(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  call.set_output(0, *x);
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"edgewright", "Conv2d", conv2d},       {"edgewright", "MatMul", matmul},
    {"edgewright", "Attention", attention}, {"edgewright", "Elementwise", elementwise},
    {"edgewright", "Reorder", reorder},
};

}  // namespace

std::span<const ReferenceKernel> fused_reference_kernels() { return kKernels; }

}  // namespace edgewright
