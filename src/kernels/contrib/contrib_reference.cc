// The com.microsoft operators that ONNX Runtime's optimiser makes of element-wise operators,
// normalisations and matrix products; definitions as in its ContribOperators documentation.
#include <cmath>

#include "kernels/contrib/activation.h"
#include "kernels/families.h"
#include "kernels/reference/matmul.h"

namespace edgewright {
namespace {

using namespace reference;

constexpr double kSqrtHalf = 0.70710678118654752440;

double gelu_of(double x) { return 0.5 * x * (1 + std::erf(x * kSqrtHalf)); }
// The approximation by tanh.
double fast_gelu_of(double x) {
  constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
  return 0.5 * x * (1 + std::tanh(kSqrtTwoOverPi * (x + 0.044715 * x * x * x)));
}

// y = function(x + bias), the bias of input 1 broadcast where the operator has one.
template <class T, class F>
Status map_with_bias(OpCall& call, bool bias_needed, F function) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  Repeated<T> bias;
  if (bias_needed || call.has_input(1)) {
    EDGEWRIGHT_ASSIGN(const Operand<T> given, operand<T>(call, 1));
    EDGEWRIGHT_ASSIGN(bias, repeated(call, "the bias", given, x.dims()));
  }
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  for (int64_t i = 0; i < y.count(); ++i) {
    const T moved = bias.data == nullptr ? x[i] : x[i] + bias[i];
    y[i] = static_cast<T>(function(static_cast<double>(moved)));
  }
  return y.finish();
}

template <class T>
Status gelu(OpCall& call) {
  return map_with_bias<T>(call, false, gelu_of);
}
template <class T>
Status fast_gelu(OpCall& call) {
  return map_with_bias<T>(call, false, fast_gelu_of);
}
template <class T>
Status bias_gelu(OpCall& call) {
  return map_with_bias<T>(call, true, gelu_of);
}
template <class T>
Status quick_gelu(OpCall& call) {
  const double alpha = call.attributes->get_float("alpha", 1.702f);
  return map_with_bias<T>(call, false,
                          [alpha](double x) { return x / (1 + std::exp(-alpha * x)); });
}

// BiasAdd: X + bias + skip, of one shape but for the bias.
template <class T>
Status bias_add(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> given, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<T> skip, operand<T>(call, 2));
  EDGEWRIGHT_ASSIGN(const Repeated<T> bias, repeated(call, "bias", given, x.dims()));
  EDGEWRIGHT_TRY(expect_dims(call, "skip", *skip.tensor, x.dims()));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  for (int64_t i = 0; i < y.count(); ++i) y[i] = x[i] + bias[i] + skip[i];
  return y.finish();
}

// BiasSplitGelu: the first half of the last axis times the gelu of the second, after a bias.
template <class T>
Status bias_split_gelu(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> given, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const Repeated<T> bias, repeated(call, "bias", given, x.dims()));
  if (x.rank() < 1 || x.dims().back() % 2 != 0) {
    return bad_input("{} of shape {}, expected an even last dimension", call.op,
                     dims_text(x.dims()));
  }
  Dims dims = x.dims();
  const int64_t half = dims.back() /= 2;
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), dims));
  for (int64_t i = 0; i < y.count(); ++i) {
    const int64_t left = i / half * half * 2 + i % half;
    const int64_t right = left + half;
    y[i] = static_cast<T>((x[left] + bias[left]) *
                          gelu_of(static_cast<double>(x[right] + bias[right])));
  }
  return y.finish();
}

// BiasDropout without training: data + bias, then + residual.
template <class T>
Status bias_dropout(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> given, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<T> residual, optional_operand<T>(call, 2));
  EDGEWRIGHT_ASSIGN(const int64_t training, scalar_operand_or<int64_t>(call, 4, 0));
  if (training != 0) return unsupported("{} in training mode", call.op);
  EDGEWRIGHT_ASSIGN(const Repeated<T> bias, repeated(call, "bias", given, x.dims()));
  if (residual) EDGEWRIGHT_TRY(expect_dims(call, "residual", *residual.tensor, x.dims()));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  for (int64_t i = 0; i < y.count(); ++i) {
    y[i] = x[i] + bias[i] + (residual ? residual[i] : T{0});
  }
  if (call.output_count > 1 && call.wants_output(1)) {
    EDGEWRIGHT_ASSIGN(Tensor * mask, call.make_output(1, DType::kBool, x.dims()));
    std::fill_n(reinterpret_cast<bool*>(mask->mutable_bytes()), mask->element_count(), true);
  }
  return y.finish();
}

// BiasSoftmax: softmax of data + bias over the axes from `axis` on. With is_inner_broadcast the
// bias repeats over the axes right before them, else over the leading axes as NumPy broadcasts.
template <class T>
Status bias_softmax(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> given, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    axis_of(call, call.attributes->get_int("axis", 1), x.rank()));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  const int64_t size = span_count(x.dims(), axis);
  if (y.count() == 0) return y.finish();
  const bool inner = call.attributes->get_int("is_inner_broadcast", 1) != 0;
  Repeated<T> bias;
  int64_t repeats = 1;
  if (inner && given.rank() == x.rank()) {
    EDGEWRIGHT_ASSIGN(bias, repeated(call, "bias", given, x.dims()));
  } else if (given.count() > 0 && x.count() % given.count() == 0 && given.count() % size == 0) {
    bias = {given.data, given.count()};
    repeats = inner ? x.count() / given.count() : 1;
  } else {
    return bad_input("{} of {} and the bias {}", call.op, dims_text(x.dims()),
                     dims_text(given.dims()));
  }
  for (int64_t row = 0; row < x.count() / size; ++row) {
    T* out = y.data + row * size;
    double highest = -INFINITY;
    for (int64_t i = 0; i < size; ++i) {
      out[i] = x[row * size + i] + bias[row / repeats * size + i];
      highest = std::max<double>(highest, out[i]);
    }
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += std::exp(out[i] - highest);
    for (int64_t i = 0; i < size; ++i) out[i] = static_cast<T>(std::exp(out[i] - highest) / sum);
  }
  return y.finish();
}

// One matrix operand of FusedMatMul: `transposed` swaps the last two axes; `batch_moved` says that
// the batch axis stands between them, as [m, batch, k].
struct MatrixAxes {
  Dims dims;  // as the product sees them
  int64_t row = 0;
  int64_t column = 1;
  int64_t matrix = 0;  // elements between matrices
};

Result<MatrixAxes> matrix_axes(const OpCall& call, const Dims& given, bool transposed,
                               bool batch_moved) {
  MatrixAxes axes;
  axes.dims = given;
  const size_t rank = given.size();
  if (rank < 2) {
    axes.row = 1;
    return axes;
  }
  if (batch_moved && rank != 3) {
    return unsupported("{} with a moved batch axis of rank {}", call.op, rank);
  }
  // Stored as [rows, columns]; with a moved batch axis rows lie `batch` rows apart.
  if (batch_moved) std::swap(axes.dims[0], axes.dims[1]);
  const int64_t columns = given.back();
  axes.row = batch_moved ? columns * given[1] : columns;
  axes.matrix = batch_moved ? columns : columns * given[rank - 2];
  if (transposed) {
    std::swap(axes.dims[rank - 1], axes.dims[rank - 2]);
    std::swap(axes.row, axes.column);
  }
  return axes;
}

template <class T>
Status fused_matmul(OpCall& call) {
  const Attributes& a = *call.attributes;
  EDGEWRIGHT_ASSIGN(const Operand<T> left, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> right, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const MatrixAxes left_axes,
                    matrix_axes(call, left.dims(), a.get_int("transA", 0) != 0,
                                a.get_int("transBatchA", 0) != 0));
  EDGEWRIGHT_ASSIGN(const MatrixAxes right_axes,
                    matrix_axes(call, right.dims(), a.get_int("transB", 0) != 0,
                                a.get_int("transBatchB", 0) != 0));
  EDGEWRIGHT_ASSIGN(const MatMulShape s, matmul_shape(call, left_axes.dims, right_axes.dims));
  EDGEWRIGHT_ASSIGN(const Activation activation, fused_activation(call));
  const double alpha = a.get_float("alpha", 1);
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, left.dtype(), s.output));
  for (int64_t i = 0; i < s.batches(); ++i) {
    const MatrixIn<T> from_left{left.data + s.a_matrix(i) * left_axes.matrix, left_axes.row,
                                left_axes.column};
    const MatrixIn<T> from_right{right.data + s.b_matrix(i) * right_axes.matrix, right_axes.row,
                                 right_axes.column};
    add_matrix_product(from_left, from_right, s.m, s.n, s.k, y.data + i * s.m * s.n);
  }
  for (int64_t i = 0; i < y.count(); ++i) {
    y[i] = static_cast<T>(activation(static_cast<double>(y[i]) * alpha));
  }
  return y.finish();
}

template <class T>
Status fused_gemm(OpCall& call) {
  const Attributes& a = *call.attributes;
  EDGEWRIGHT_ASSIGN(const Operand<T> left, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> right, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<T> addend, optional_operand<T>(call, 2));
  EDGEWRIGHT_TRY(expect_rank(call, "A", *left.tensor, 2));
  EDGEWRIGHT_TRY(expect_rank(call, "B", *right.tensor, 2));
  EDGEWRIGHT_ASSIGN(const MatrixAxes left_axes,
                    matrix_axes(call, left.dims(), a.get_int("transA", 0) != 0, false));
  EDGEWRIGHT_ASSIGN(const MatrixAxes right_axes,
                    matrix_axes(call, right.dims(), a.get_int("transB", 0) != 0, false));
  EDGEWRIGHT_ASSIGN(const MatMulShape s, matmul_shape(call, left_axes.dims, right_axes.dims));
  EDGEWRIGHT_ASSIGN(const Activation activation, fused_activation(call));
  Repeated<T> c;
  if (addend) {
    EDGEWRIGHT_ASSIGN(c, repeated(call, "C", addend, s.output));
  }
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, left.dtype(), s.output));
  add_matrix_product<T>({left.data, left_axes.row, left_axes.column},
                        {right.data, right_axes.row, right_axes.column}, s.m, s.n, s.k, y.data);
  const double alpha = a.get_float("alpha", 1);
  const double beta = a.get_float("beta", 1);
  for (int64_t i = 0; i < y.count(); ++i) {
    const double sum = alpha * y[i] + (addend ? beta * c[i] : 0);
    y[i] = static_cast<T>(activation(sum));
  }
  return y.finish();
}

constexpr ReferenceKernel kKernels[] = {
    {"com.microsoft", "Gelu", real<gelu<float>, gelu<double>>},
    {"com.microsoft", "FastGelu", real<fast_gelu<float>, fast_gelu<double>>},
    {"com.microsoft", "BiasGelu", real<bias_gelu<float>, bias_gelu<double>>},
    {"com.microsoft", "QuickGelu", real<quick_gelu<float>, quick_gelu<double>>},
    {"com.microsoft", "BiasAdd", real<bias_add<float>, bias_add<double>>},
    {"com.microsoft", "BiasSplitGelu", real<bias_split_gelu<float>, bias_split_gelu<double>>},
    {"com.microsoft", "BiasDropout", real<bias_dropout<float>, bias_dropout<double>>},
    {"com.microsoft", "BiasSoftmax", real<bias_softmax<float>, bias_softmax<double>>},
    {"com.microsoft", "FusedMatMul", real<fused_matmul<float>, fused_matmul<double>>},
    {"com.microsoft", "TransposeMatMul", real<fused_matmul<float>, fused_matmul<double>>},
    {"com.microsoft", "FusedGemm", real<fused_gemm<float>, fused_gemm<double>>},
};

}  // namespace

std::span<const ReferenceKernel> contrib_reference_kernels() { return kKernels; }

}  // namespace edgewright
