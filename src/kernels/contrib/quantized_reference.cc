// The quantised operators of com.microsoft; definitions as in ONNX Runtime's ContribOperators
// documentation.
#include <cmath>

#include "kernels/families.h"
#include "kernels/quantization/granularity.h"
#include "kernels/quantization/quantized.h"
#include "kernels/reference/matmul.h"

namespace edgewright {
namespace {

using namespace reference;

// An 8-bit tensor as the real numbers that it stands for.
struct Real8 {
  Operand<float> values;
  float scale = 1;
  float zero = 0;
  DType dtype = DType::kUndefined;

  float operator[](int64_t i) const { return (values[i] - zero) * scale; }
};

bool is_8_bits(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUint8; }

// Inputs first, first + 1 (scale) and first + 2 (zero point, may be omitted).
Result<Real8> read_real8(OpCall& call, size_t first) {
  Real8 x;
  EDGEWRIGHT_ASSIGN(x.values, operand<float>(call, first));
  x.dtype = x.values.dtype();
  if (!is_8_bits(x.dtype)) return bad_input("{} of {}", call.op, dtype_name(x.dtype));
  EDGEWRIGHT_ASSIGN(x.scale, scalar_operand<float>(call, first + 1));
  EDGEWRIGHT_ASSIGN(x.zero, scalar_operand_or<float>(call, first + 2, 0));
  return x;
}

// How results are made narrow again.
struct Narrow {
  float scale = 1;
  double zero = 0;
  IntegerRange range;

  void store(Tensor& y, int64_t i, float value) const {
    store_double(y.dtype(), y.mutable_bytes(), i, requantized(value / scale, zero, range));
  }
};
Result<Narrow> read_narrow(OpCall& call, size_t scale_input, DType dtype) {
  Narrow narrow;
  EDGEWRIGHT_ASSIGN(narrow.scale, scalar_operand<float>(call, scale_input));
  EDGEWRIGHT_ASSIGN(narrow.zero, scalar_operand_or<double>(call, scale_input + 1, 0));
  narrow.range = integer_range(dtype);
  return narrow;
}

template <class F>
Status qlinear_binary(OpCall& call, F function) {
  EDGEWRIGHT_ASSIGN(const Real8 a, read_real8(call, 0));
  EDGEWRIGHT_ASSIGN(const Real8 b, read_real8(call, 3));
  EDGEWRIGHT_ASSIGN(const Narrow narrow, read_narrow(call, 6, a.dtype));
  if (a.dtype != b.dtype) return bad_input("{} of two types", call.op);
  const size_t rank = std::max(a.values.rank(), b.values.rank());
  Dims dims(rank, 1);
  for (const Operand<float>* x : {&a.values, &b.values}) {
    for (size_t axis = 0; axis < x->rank(); ++axis) {
      int64_t& dim = dims[rank - x->rank() + axis];
      if (x->dim(axis) != 1) dim = x->dim(axis);
    }
  }
  EDGEWRIGHT_ASSIGN(const Repeated<float> left, repeated(call, "A", a.values, dims));
  EDGEWRIGHT_ASSIGN(const Repeated<float> right, repeated(call, "B", b.values, dims));
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, a.dtype, dims));
  for (int64_t i = 0; i < y->element_count(); ++i) {
    narrow.store(*y, i, function((left[i] - a.zero) * a.scale, (right[i] - b.zero) * b.scale));
  }
  return {};
}
Status qlinear_add(OpCall& call) {
  return qlinear_binary(call, [](float a, float b) { return a + b; });
}
Status qlinear_mul(OpCall& call) {
  return qlinear_binary(call, [](float a, float b) { return a * b; });
}

template <class F>
Status qlinear_unary(OpCall& call, F function) {
  EDGEWRIGHT_ASSIGN(const Real8 x, read_real8(call, 0));
  EDGEWRIGHT_ASSIGN(const Narrow narrow, read_narrow(call, 3, x.dtype));
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, x.dtype, x.values.dims()));
  for (int64_t i = 0; i < y->element_count(); ++i) narrow.store(*y, i, function(x[i]));
  return {};
}
Status qlinear_sigmoid(OpCall& call) {
  return qlinear_unary(call, [](float x) { return 1 / (1 + std::exp(-x)); });
}
Status qlinear_leaky_relu(OpCall& call) {
  const float alpha = call.attributes->get_float("alpha", 0.01f);
  return qlinear_unary(call, [alpha](float x) { return x >= 0 ? x : alpha * x; });
}

Status qlinear_softmax(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Real8 x, read_real8(call, 0));
  EDGEWRIGHT_ASSIGN(const Narrow narrow, read_narrow(call, 3, x.dtype));
  const Dims& dims = x.values.dims();
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    axis_of(call, call.attributes->get_int("axis", -1), dims.size()));
  // Before opset 13 the axes from `axis` on are one.
  const bool flat = call.attributes->get_int("opset", 13) < 13;
  const int64_t inner = flat ? 1 : span_count(dims, axis + 1);
  const int64_t size = flat ? span_count(dims, axis) : dims[axis];
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, x.dtype, dims));
  for (int64_t row = 0; size > 0 && row < y->element_count() / size; ++row) {
    const int64_t start = row / inner * size * inner + row % inner;
    float highest = x[start];
    for (int64_t i = 1; i < size; ++i) highest = std::max(highest, x[start + i * inner]);
    float sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += std::exp(x[start + i * inner] - highest);
    for (int64_t i = 0; i < size; ++i) {
      narrow.store(*y, start + i * inner, std::exp(x[start + i * inner] - highest) / sum);
    }
  }
  return {};
}

Status qlinear_global_average_pool(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Real8 x, read_real8(call, 0));
  EDGEWRIGHT_ASSIGN(const Narrow narrow, read_narrow(call, 3, x.dtype));
  const Dims& dims = x.values.dims();
  if (dims.size() < 3) return bad_input("{} of shape {}", call.op, dims_text(dims));
  const bool last = call.attributes->get_int("channels_last", 0) != 0;
  const int64_t channels = last ? dims.back() : dims[1];
  const int64_t plane = last ? span_count(dims, 1, dims.size() - 1) : span_count(dims, 2);
  Dims out(dims.size(), 1);
  out[0] = dims[0];
  out[last ? dims.size() - 1 : 1] = channels;
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, x.dtype, out));
  for (int64_t i = 0; i < y->element_count() && plane > 0; ++i) {
    const int64_t n = i / channels;
    const int64_t c = i % channels;
    float sum = 0;
    for (int64_t j = 0; j < plane; ++j) {
      sum += x[last ? (n * plane + j) * channels + c : i * plane + j];
    }
    narrow.store(*y, i, sum / static_cast<float>(plane));
  }
  return {};
}

// Y_scale, Y_zero_point, then tensor, scale and zero point of every input.
Status qlinear_concat(OpCall& call) {
  if (call.inputs.size() < 5 || (call.inputs.size() - 2) % 3 != 0) {
    return bad_input("{} of {} inputs", call.op, call.inputs.size());
  }
  std::vector<Real8> parts;
  for (size_t i = 2; i < call.inputs.size(); i += 3) {
    EDGEWRIGHT_ASSIGN(Real8 part, read_real8(call, i));
    parts.push_back(part);
  }
  Dims dims = parts[0].values.dims();
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    axis_of(call, call.attributes->get_int("axis", 0), dims.size()));
  EDGEWRIGHT_ASSIGN(const Narrow narrow, read_narrow(call, 0, parts[0].dtype));
  dims[axis] = 0;
  for (const Real8& part : parts) {
    Dims expected = dims;
    if (part.values.rank() == dims.size()) expected[axis] = part.values.dim(axis);
    EDGEWRIGHT_TRY(expect_dims(call, "an input", *part.values.tensor, expected));
    dims[axis] += expected[axis];
  }
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, parts[0].dtype, dims));
  const int64_t inner = span_count(dims, axis + 1);
  int64_t offset = 0;
  for (const Real8& part : parts) {
    const int64_t run = part.values.dim(axis) * inner;
    for (int64_t i = 0; i < part.values.count(); ++i) {
      narrow.store(*y, i / run * dims[axis] * inner + offset + i % run, part[i]);
    }
    offset += run;
  }
  return {};
}

// An 8-bit weight matrix [..., k, n] with one scale and zero point, or one per column.
struct Weights {
  Operand<int64_t> values;
  Operand<float> scale;
  Operand<int64_t> zero;

  Status check(const OpCall& call) const {
    const int64_t columns = values.rank() > 0 ? values.dims().back() : 0;
    const bool fits = is_8_bits(values.dtype()) && values.rank() >= 2 &&
                      (scale.count() == 1 || scale.count() == columns) &&
                      (!zero || zero.count() == 1 || zero.count() == columns);
    if (fits) return {};
    return bad_input("{} of weights {} with {} scales", call.op, dims_text(values.dims()),
                     scale.count());
  }
  int64_t zero_at(int64_t column) const { return zero ? zero[zero.count() == 1 ? 0 : column] : 0; }
  float scale_at(int64_t column) const { return scale[scale.count() == 1 ? 0 : column]; }
};

// y = (a - a_zero) (b - b_zero) * scales + bias, as float.
Status scaled_product(OpCall& call, const Dims& a_dims, const int64_t* a, float a_scale,
                      const Weights& b, size_t bias_input) {
  EDGEWRIGHT_TRY(b.check(call));
  EDGEWRIGHT_ASSIGN(const MatMulShape s, matmul_shape(call, a_dims, b.values.dims()));
  EDGEWRIGHT_ASSIGN(const Operand<float> bias, optional_operand<float>(call, bias_input));
  if (bias) EDGEWRIGHT_TRY(expect_dims(call, "the bias", *bias.tensor, {s.n}));
  EDGEWRIGHT_ASSIGN(const Computed<float> y, computed<float>(call, 0, DType::kFloat32, s.output));
  for (int64_t i = 0; i < y.count(); ++i) {
    const int64_t column = i % s.n;
    const int64_t matrix = i / (s.m * s.n);
    const int64_t* left = a + (s.a_matrix(matrix) * s.m + i / s.n % s.m) * s.k;
    const int64_t* right = b.values.data + s.b_matrix(matrix) * s.k * s.n + column;
    const int64_t zero = b.zero_at(column);
    int64_t sum = 0;
    for (int64_t k = 0; k < s.k; ++k) sum += left[k] * (right[k * s.n] - zero);
    y[i] = static_cast<float>(sum) * (a_scale * b.scale_at(column)) + (bias ? bias[column] : 0);
  }
  return y.finish();
}

Result<Weights> read_weights(OpCall& call, size_t values, size_t scale, size_t zero) {
  Weights b;
  EDGEWRIGHT_ASSIGN(b.values, operand<int64_t>(call, values));
  EDGEWRIGHT_ASSIGN(b.scale, operand<float>(call, scale));
  EDGEWRIGHT_ASSIGN(b.zero, optional_operand<int64_t>(call, zero));
  return b;
}

// A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias.
Status matmul_integer_to_float(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> a, operand<int64_t>(call, 0));
  EDGEWRIGHT_ASSIGN(const float a_scale, scalar_operand<float>(call, 2));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> a_zero, optional_operand<int64_t>(call, 4));
  if (!is_8_bits(a.dtype()) || (a_zero && a_zero.count() != 1)) {
    return bad_input("{} of {} with several zero points", call.op, dtype_name(a.dtype()));
  }
  EDGEWRIGHT_ASSIGN(const int64_t* moved, centred(call, a, a_zero, a.rank()));
  EDGEWRIGHT_ASSIGN(const Weights b, read_weights(call, 1, 3, 5));
  return scaled_product(call, a.dims(), moved, a_scale, b, 6);
}

// A (float), B, b_scale, b_zero_point, bias; A is quantised to uint8 over its range.
Status dynamic_quantize_matmul(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> a, operand<float>(call, 0));
  float low = 0;
  float high = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    low = std::min(low, a[i]);
    high = std::max(high, a[i]);
  }
  const float scale = high == low ? 1.0f : (high - low) / 255;
  const double zero = std::nearbyint(std::clamp(0 - low / scale, 0.0f, 255.0f));
  EDGEWRIGHT_ASSIGN(int64_t* moved, scratch_array<int64_t>(call, a.count()));
  const IntegerRange range = integer_range(DType::kUint8);
  for (int64_t i = 0; i < a.count(); ++i) {
    moved[i] = static_cast<int64_t>(requantized(a[i] / scale, zero, range) - zero);
  }
  EDGEWRIGHT_ASSIGN(const Weights b, read_weights(call, 1, 2, 3));
  return scaled_product(call, a.dims(), moved, scale, b, 4);
}

// Weights of 2, 4 or 8 bits in blocks along k: B [n, blocks, block * bits / 8] of uint8, scales
// [n, blocks], zero points packed likewise, or of the type of the scales.
struct Blocks {
  int64_t k = 0;
  int64_t n = 0;
  int64_t bits = 4;
  int64_t size = 0;
  int64_t count = 0;
};
Result<Blocks> read_blocks(const OpCall& call) {
  const Attributes& a = *call.attributes;
  Blocks b{a.get_int("K", 0), a.get_int("N", 0), a.get_int("bits", 4), a.get_int("block_size", 0)};
  constexpr int64_t kLargest = int64_t{1} << 31;
  if (b.k < 1 || b.n < 1 || b.k > kLargest || b.n > kLargest || b.size < 16 || b.size > kLargest ||
      b.size % 8 != 0 || (b.bits != 2 && b.bits != 4 && b.bits != 8)) {
    return bad_input("{} has K {}, N {}, {} bits and block_size {}", call.op, b.k, b.n, b.bits,
                     b.size);
  }
  b.count = (b.k + b.size - 1) / b.size;
  return b;
}

uint8_t packed_bits(const uint8_t* data, int64_t i, int64_t bits) {
  const int64_t per_byte = 8 / bits;
  return static_cast<uint8_t>(data[i / per_byte] >> (i % per_byte * bits)) &
         static_cast<uint8_t>((1 << bits) - 1);
}

// Zero points as one float per block; in the middle of the range where the input is omitted.
Result<const float*> block_zero_points(OpCall& call, const Blocks& b) {
  EDGEWRIGHT_ASSIGN(float* made, scratch_array<float>(call, b.n * b.count));
  if (!call.has_input(3)) {
    std::fill_n(made, b.n * b.count, static_cast<float>(1 << (b.bits - 1)));
    return static_cast<const float*>(made);
  }
  EDGEWRIGHT_ASSIGN(const Tensor* zero, call.tensor(3));
  if (zero->dtype() != DType::kUint8) {
    EDGEWRIGHT_ASSIGN(const float* values, read_as<float>(call, *zero));
    if (zero->element_count() == b.n * b.count) return values;
  }
  const int64_t row = (b.count * b.bits + 7) / 8;
  if (zero->dtype() != DType::kUint8 || zero->element_count() != b.n * row) {
    return bad_input("{} has zero points {} for {} columns of {} blocks", call.op,
                     dims_text(zero->dims()), b.n, b.count);
  }
  for (int64_t i = 0; i < b.n * b.count; ++i) {
    made[i] = packed_bits(zero->data<uint8_t>() + i / b.count * row, i % b.count, b.bits);
  }
  return static_cast<const float*>(made);
}

Status matmul_nbits(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> a, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(const Tensor* weights, call.tensor(1));
  EDGEWRIGHT_ASSIGN(const Operand<float> scales, operand<float>(call, 2));
  EDGEWRIGHT_ASSIGN(const Operand<float> bias, optional_operand<float>(call, 5));
  EDGEWRIGHT_ASSIGN(const Blocks b, read_blocks(call));
  if (call.has_input(4)) return unsupported("{} with a group index", call.op);
  const int64_t block_bytes = b.size * b.bits / 8;
  if (a.rank() < 1 || a.dims().back() != b.k || weights->dtype() != DType::kUint8 ||
      weights->element_count() != b.n * b.count * block_bytes || scales.count() != b.n * b.count) {
    return bad_input("{} of A {}, B {} and scales {}", call.op, dims_text(a.dims()),
                     dims_text(weights->dims()), dims_text(scales.dims()));
  }
  if (bias) EDGEWRIGHT_TRY(expect_dims(call, "bias", *bias.tensor, {b.n}));
  EDGEWRIGHT_ASSIGN(const float* zero, block_zero_points(call, b));
  Dims dims = a.dims();
  dims.back() = b.n;
  EDGEWRIGHT_ASSIGN(const Computed<float> y, computed<float>(call, 0, a.dtype(), dims));
  EDGEWRIGHT_ASSIGN(float* column, scratch_array<float>(call, b.k));
  for (int64_t n = 0; n < b.n; ++n) {
    const uint8_t* packed = weights->data<uint8_t>() + n * b.count * block_bytes;
    for (int64_t k = 0; k < b.k; ++k) {
      const int64_t block = n * b.count + k / b.size;
      column[k] = (packed_bits(packed, k, b.bits) - zero[block]) * scales[block];
    }
    for (int64_t row = 0; row < y.count() / b.n; ++row) {
      float sum = bias ? bias[n] : 0;
      for (int64_t k = 0; k < b.k; ++k) sum += a[row * b.k + k] * column[k];
      y[row * b.n + n] = sum;
    }
  }
  return y.finish();
}

constexpr ReferenceKernel kKernels[] = {
    {"com.microsoft", "QLinearAdd", qlinear_add},
    {"com.microsoft", "QLinearMul", qlinear_mul},
    {"com.microsoft", "QLinearSigmoid", qlinear_sigmoid},
    {"com.microsoft", "QLinearLeakyRelu", qlinear_leaky_relu},
    {"com.microsoft", "QLinearSoftmax", qlinear_softmax},
    {"com.microsoft", "QLinearGlobalAveragePool", qlinear_global_average_pool},
    {"com.microsoft", "QLinearConcat", qlinear_concat},
    {"com.microsoft", "MatMulIntegerToFloat", matmul_integer_to_float},
    {"com.microsoft", "DynamicQuantizeMatMul", dynamic_quantize_matmul},
    {"com.microsoft", "MatMulNBits", matmul_nbits},
};

}  // namespace

std::span<const ReferenceKernel> contrib_quantized_reference_kernels() { return kKernels; }

}  // namespace edgewright
