// Convolution of 8-bit integers. Sums are exact; int32 results wrap as two's complement.
#include "kernels/conv/convolve.h"
#include "kernels/families.h"
#include "kernels/quantization/quantized.h"

namespace edgewright {
namespace {

using namespace reference;

Status expect_8_bits(const OpCall& call, const Tensor& tensor) {
  if (tensor.dtype() == DType::kInt8 || tensor.dtype() == DType::kUint8) return {};
  return bad_input("{} of {}, expected int8 or uint8", call.op, dtype_name(tensor.dtype()));
}

struct Sums {
  ConvShape shape;
  const int64_t* data = nullptr;
  int64_t channels = 0;
};

Result<Sums> convolve_centred(OpCall& call, size_t x_index, size_t x_zero, size_t w_index,
                              size_t w_zero) {
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> x, operand<int64_t>(call, x_index));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> w, operand<int64_t>(call, w_index));
  EDGEWRIGHT_TRY(expect_8_bits(call, *x.tensor));
  EDGEWRIGHT_TRY(expect_8_bits(call, *w.tensor));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> x_point, optional_operand<int64_t>(call, x_zero));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> w_point, optional_operand<int64_t>(call, w_zero));
  Sums sums;
  EDGEWRIGHT_ASSIGN(sums.shape, conv_shape(call, *x.tensor, *w.tensor));
  EDGEWRIGHT_ASSIGN(const int64_t* from, centred(call, x, x_point, x.rank()));
  EDGEWRIGHT_ASSIGN(const int64_t* filter, centred(call, w, w_point, 0));
  EDGEWRIGHT_ASSIGN(Tensor * made, call.make_scratch(DType::kInt64, sums.shape.output_dims()));
  convolve(sums.shape, from, filter, made->mutable_data<int64_t>());
  sums.data = made->data<int64_t>();
  sums.channels = w.dim(0);
  return sums;
}

Status conv_integer(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Sums sums, convolve_centred(call, 0, 2, 1, 3));
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, DType::kInt32, sums.shape.output_dims()));
  for (int64_t i = 0; i < y->element_count(); ++i) {
    y->mutable_data<int32_t>()[i] = static_cast<int32_t>(sums.data[i]);
  }
  return {};
}

Status qlinear_conv(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const float x_scale, scalar_operand<float>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<float> w_scale, operand<float>(call, 4));
  EDGEWRIGHT_ASSIGN(const float y_scale, scalar_operand<float>(call, 6));
  EDGEWRIGHT_ASSIGN(const Tensor* y_point, call.tensor(7));
  EDGEWRIGHT_TRY(expect_8_bits(call, *y_point));
  EDGEWRIGHT_ASSIGN(const int64_t y_zero, scalar_operand<int64_t>(call, 7));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> bias, optional_operand<int64_t>(call, 8));
  EDGEWRIGHT_ASSIGN(const Sums sums, convolve_centred(call, 0, 2, 3, 5));
  const int64_t channels = sums.channels;
  if (w_scale.count() != 1 && w_scale.count() != channels) {
    return bad_input("{} has {} weight scales for {} channels", call.op, w_scale.count(), channels);
  }
  if (bias) EDGEWRIGHT_TRY(expect_dims(call, "the bias", *bias.tensor, {channels}));
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, y_point->dtype(), sums.shape.output_dims()));
  const IntegerRange range = integer_range(y->dtype());
  const int64_t plane = span_count(sums.shape.window.output, 0);
  for (int64_t i = 0; i < y->element_count(); ++i) {
    const int64_t channel = i / plane % channels;
    const int64_t sum = sums.data[i] + (bias ? bias[channel] : 0);
    const float scale = x_scale * w_scale[w_scale.count() == 1 ? 0 : channel] / y_scale;
    store_double(y->dtype(), y->mutable_bytes(), i,
                 requantized(static_cast<float>(sum) * scale, static_cast<double>(y_zero), range));
  }
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "ConvInteger", conv_integer},
    {"", "QLinearConv", qlinear_conv},
};

}  // namespace

std::span<const ReferenceKernel> conv_integer_reference_kernels() { return kKernels; }

}  // namespace edgewright
