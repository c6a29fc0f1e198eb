// Between real numbers and narrow types with scale and zero point.
#include <cmath>

#include "kernels/families.h"
#include "kernels/quantization/granularity.h"
#include "kernels/quantization/quantized.h"
#include "kernels/reference/matmul.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

using namespace reference;

bool is_narrow_float(DType dtype) {
  return dtype == DType::kFloat8E4M3FN || dtype == DType::kFloat8E4M3FNUZ ||
         dtype == DType::kFloat8E5M2 || dtype == DType::kFloat8E5M2FNUZ ||
         dtype == DType::kFloat4E2M1;
}
bool is_narrow_integer(DType dtype) { return is_integer(dtype) && dtype_bits(dtype) <= 16; }

// `value` as the type holds it; float32 and wider keep what a float holds.
float held_in(DType dtype, float value) {
  if (dtype == DType::kFloat16) return static_cast<float>(Half(value));
  if (dtype == DType::kBfloat16) return static_cast<float>(Bfloat16(value));
  return value;
}

// An attribute that names an element type, or `otherwise` where it is 0.
Result<DType> named_type(const OpCall& call, std::string_view name, DType otherwise) {
  const int64_t value = call.attributes->get_int(name, 0);
  if (value == 0) return otherwise;
  if (value < 0 || value >= kDTypeCount) return bad_input("{} has {} {}", call.op, name, value);
  return static_cast<DType>(value);
}

Result<DType> quantized_type(OpCall& call) {
  DType dtype = DType::kUint8;
  if (call.has_input(2)) {
    EDGEWRIGHT_ASSIGN(const Tensor* zero_point, call.tensor(2));
    dtype = zero_point->dtype();
  }
  EDGEWRIGHT_ASSIGN(const DType named, named_type(call, "output_dtype", dtype));
  if ((call.has_input(2) && named != dtype) ||
      (!is_narrow_float(named) && !is_narrow_integer(named))) {
    return bad_input("{} to {} with a zero point of {}", call.op, dtype_name(named),
                     dtype_name(dtype));
  }
  return named;
}

void store_quantized(Tensor& y, int64_t i, double scaled, double zero_point, bool saturate) {
  const DType dtype = y.dtype();
  if (is_integer(dtype)) {
    store_double(dtype, y.mutable_bytes(), i,
                 requantized(scaled, zero_point, integer_range(dtype)));
  } else if (dtype == DType::kFloat4E2M1) {
    packed_set(y.mutable_bytes(), i, 4, float_to_float4(static_cast<float>(scaled + zero_point)));
  } else {
    y.mutable_data<uint8_t>()[i] =
        float_to_float8(dtype, static_cast<float>(scaled + zero_point), saturate);
  }
}

Status quantize_linear(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<double> x, operand<double>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<double> scale, operand<double>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<double> zero, optional_operand<double>(call, 2));
  EDGEWRIGHT_ASSIGN(const DType dtype, quantized_type(call));
  EDGEWRIGHT_ASSIGN(const Granularity g, granularity(call, *x.tensor, *scale.tensor));
  if (zero && zero.count() != scale.count()) {
    return bad_input("{} has a scale of {} and a zero point of {}", call.op,
                     dims_text(scale.dims()), dims_text(zero.dims()));
  }
  EDGEWRIGHT_ASSIGN(const DType precision, named_type(call, "precision", scale.dtype()));
  const bool exact = precision == DType::kInt32 || precision == DType::kFloat64;
  const bool saturate = call.attributes->get_int("saturate", 1) != 0;
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, dtype, x.dims()));
  for (int64_t i = 0; i < x.count(); ++i) {
    const int64_t s = g(i);
    const double scaled =
        exact ? x[i] / scale[s]
              : held_in(precision, held_in(precision, static_cast<float>(x[i])) /
                                       held_in(precision, static_cast<float>(scale[s])));
    store_quantized(*y, i, scaled, zero ? zero[s] : 0, saturate);
  }
  return {};
}

Status dequantize_linear(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<double> x, operand<double>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<float> scale, operand<float>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<double> zero, optional_operand<double>(call, 2));
  EDGEWRIGHT_ASSIGN(const Granularity g, granularity(call, *x.tensor, *scale.tensor));
  const bool narrow = is_narrow_float(x.dtype()) || is_narrow_integer(x.dtype());
  EDGEWRIGHT_ASSIGN(const DType dtype, named_type(call, "output_dtype", scale.dtype()));
  if (!is_real(dtype) || (!narrow && x.dtype() != DType::kInt32) ||
      (zero && (zero.count() != scale.count() || zero.dtype() != x.dtype()))) {
    return bad_input("{} of {} to {} with a scale of {} and a zero point of {}", call.op,
                     dtype_name(x.dtype()), dtype_name(dtype), dims_text(scale.dims()),
                     zero ? dims_text(zero.dims()) : "nothing");
  }
  EDGEWRIGHT_ASSIGN(const Computed<float> y, computed<float>(call, 0, dtype, x.dims()));
  for (int64_t i = 0; i < x.count(); ++i) {
    const int64_t s = g(i);
    y[i] =
        held_in(dtype, static_cast<float>(x[i] - (zero ? zero[s] : 0))) * held_in(dtype, scale[s]);
  }
  return y.finish();
}

Status dynamic_quantize_linear(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> x, operand<float>(call, 0));
  float low = 0;
  float high = 0;
  for (int64_t i = 0; i < x.count(); ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  const float scale = high == low ? 1.0f : (high - low) / 255;
  const float zero = std::nearbyint(std::clamp(0 - low / scale, 0.0f, 255.0f));
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, DType::kUint8, x.dims()));
  EDGEWRIGHT_ASSIGN(Tensor * y_scale, call.make_output(1, DType::kFloat32, {}));
  EDGEWRIGHT_ASSIGN(Tensor * y_zero, call.make_output(2, DType::kUint8, {}));
  y_scale->mutable_data<float>()[0] = scale;
  y_zero->mutable_data<uint8_t>()[0] = static_cast<uint8_t>(zero);
  const IntegerRange range = integer_range(DType::kUint8);
  for (int64_t i = 0; i < x.count(); ++i) {
    y->mutable_data<uint8_t>()[i] = static_cast<uint8_t>(requantized(x[i] / scale, zero, range));
  }
  return {};
}

// A matrix input of QLinearMatMul with its scales: one for all, or one per row (of a) or column
// (of b), possibly for every matrix of a batch.
struct QuantizedMatrix {
  Operand<double> values;
  Operand<float> scale;
  Operand<double> zero;
  int64_t rows = 1;
  int64_t columns = 1;

  int64_t which(int64_t matrix, int64_t line, int64_t lines) const {
    if (scale.count() == 1) return 0;
    return scale.count() == lines ? line : matrix * lines + line;
  }
  Status check(const OpCall& call, int64_t lines) const {
    const int64_t matrices =
        values.count() == 0 ? 0 : values.count() / std::max<int64_t>(rows * columns, 1);
    const int64_t count = scale.count();
    if (zero.count() == count && (count == 1 || count == lines || count == matrices * lines)) {
      return {};
    }
    return bad_input("{} of a matrix {} with a scale of {} and a zero point of {}", call.op,
                     dims_text(values.dims()), dims_text(scale.dims()), dims_text(zero.dims()));
  }
};

Result<QuantizedMatrix> quantized_matrix(OpCall& call, size_t first, int64_t rows,
                                         int64_t columns) {
  QuantizedMatrix matrix;
  EDGEWRIGHT_ASSIGN(matrix.values, operand<double>(call, first));
  EDGEWRIGHT_ASSIGN(matrix.scale, operand<float>(call, first + 1));
  EDGEWRIGHT_ASSIGN(matrix.zero, operand<double>(call, first + 2));
  matrix.rows = rows;
  matrix.columns = columns;
  return matrix;
}

Status qlinear_matmul(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* a_tensor, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* b_tensor, call.tensor(3));
  EDGEWRIGHT_ASSIGN(const MatMulShape s, matmul_shape(call, a_tensor->dims(), b_tensor->dims()));
  EDGEWRIGHT_ASSIGN(const QuantizedMatrix a, quantized_matrix(call, 0, s.m, s.k));
  EDGEWRIGHT_ASSIGN(const QuantizedMatrix b, quantized_matrix(call, 3, s.k, s.n));
  EDGEWRIGHT_TRY(a.check(call, s.m));
  EDGEWRIGHT_TRY(b.check(call, s.n));
  EDGEWRIGHT_ASSIGN(const float y_scale, scalar_operand<float>(call, 6));
  EDGEWRIGHT_ASSIGN(const double y_zero, scalar_operand<double>(call, 7));
  const DType dtype = call.inputs[7].tensor().dtype();
  if (!is_narrow_integer(dtype) && !is_narrow_float(dtype)) {
    return bad_input("{} to {}", call.op, dtype_name(dtype));
  }
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, dtype, s.output));
  for (int64_t i = 0; i < y->element_count(); ++i) {
    const int64_t a_matrix = s.a_matrix(i / (s.m * s.n));
    const int64_t b_matrix = s.b_matrix(i / (s.m * s.n));
    const int64_t row = i / s.n % s.m;
    const int64_t column = i % s.n;
    const int64_t a_scale = a.which(a_matrix, row, s.m);
    const int64_t b_scale = b.which(b_matrix, column, s.n);
    const double* left = a.values.data + (a_matrix * s.m + row) * s.k;
    const double* right = b.values.data + b_matrix * s.k * s.n + column;
    double sum = 0;  // exact: integers below 2^53
    for (int64_t k = 0; k < s.k; ++k) {
      sum += (left[k] - a.zero[a_scale]) * (right[k * s.n] - b.zero[b_scale]);
    }
    const float scale = a.scale[a_scale] * b.scale[b_scale] / y_scale;
    store_quantized(*y, i, static_cast<float>(sum) * scale, y_zero, true);
  }
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "QuantizeLinear", quantize_linear},
    {"", "DequantizeLinear", dequantize_linear},
    {"", "DynamicQuantizeLinear", dynamic_quantize_linear},
    {"", "QLinearMatMul", qlinear_matmul},
    {"com.microsoft", "QuantizeLinear", quantize_linear},
    {"com.microsoft", "DequantizeLinear", dequantize_linear},
};

}  // namespace

std::span<const ReferenceKernel> quantization_reference_kernels() { return kKernels; }

}  // namespace edgewright
