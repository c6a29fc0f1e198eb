// Matrix products: MatMul, Gemm, MatMulInteger, and the determinant.
#include <algorithm>
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/elementwise.h"
#include "kernels/reference/gemm.h"
#include "kernels/reference/matmul.h"

namespace edgewright {
namespace {

using namespace reference;

using Types = decltype(join(Floats(), TypeList<int32_t, int64_t, uint32_t, uint64_t>()));

// Sums of products: real numbers in their own precision (16-bit ones as float), integers wrap.
template <class T>
struct SumOf {
  using type = Compute<T>;
};
template <std::integral T>
struct SumOf<T> {
  using type = Wrapping<T>;
};
template <class T>
using Sum = typename SumOf<T>::type;

Status matmul(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* a, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* b, call.tensor(1));
  EDGEWRIGHT_TRY(same_type(call, *a, *b));
  EDGEWRIGHT_ASSIGN(const MatMulShape shape, matmul_shape(call, a->dims(), b->dims()));
  return dispatch<Types>(call, a->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, a->dtype(), shape.output));
    if (out->element_count() == 0) return {};
    EDGEWRIGHT_ASSIGN(Tensor * sums, call.make_scratch(kDTypeOf<Sum<T>>, {shape.m, shape.n}));
    const int64_t area = shape.m * shape.n;
    Sum<T>* sum = sums->mutable_data<Sum<T>>();
    for (int64_t i = 0; i < shape.batches(); ++i) {
      std::fill_n(sum, area, Sum<T>{0});
      accumulate_product(
          MatrixView<T>{a->data<T>() + shape.a_matrix(i) * shape.m * shape.k, shape.k},
          MatrixView<T>{b->data<T>() + shape.b_matrix(i) * shape.k * shape.n, shape.n}, sum,
          shape.m, shape.n, shape.k);
      map_elements(sum, out->mutable_data<T>() + i * area, area,
                   [](Sum<T> value) { return static_cast<T>(value); });
    }
    return {};
  });
}

struct GemmShape {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
};

Result<GemmShape> gemm_shape(const OpCall& call, const Tensor& a, const Tensor& b) {
  GemmShape shape{};
  shape.transpose_a = call.attributes->get_int("transA", 0) != 0;
  shape.transpose_b = call.attributes->get_int("transB", 0) != 0;
  if (a.rank() != 2 || b.rank() != 2) {
    return bad_input("Gemm: shapes {} and {}, expected two matrices", dims_text(a.dims()),
                     dims_text(b.dims()));
  }
  shape.m = a.dim(shape.transpose_a ? 1 : 0);
  shape.k = a.dim(shape.transpose_a ? 0 : 1);
  shape.n = b.dim(shape.transpose_b ? 0 : 1);
  if (b.dim(shape.transpose_b ? 1 : 0) != shape.k) {
    return bad_input("Gemm: matrices of shapes {} and {} do not multiply", dims_text(a.dims()),
                     dims_text(b.dims()));
  }
  return shape;
}

template <class T>
T scaled(Sum<T> sum, float factor) {
  if (factor == 1) return static_cast<T>(sum);
  return static_cast<T>(static_cast<Compute<T>>(static_cast<Compute<T>>(sum) * factor));
}

// out = alpha * a * b + beta * c, where c broadcasts to the result.
template <class T>
Status gemm_typed(OpCall& call, const Tensor& a, const Tensor& b, const Tensor* c,
                  const GemmShape& shape) {
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, a.dtype(), {shape.m, shape.n}));
  EDGEWRIGHT_ASSIGN(Tensor * sums, call.make_scratch(kDTypeOf<Sum<T>>, {shape.m, shape.n}));
  MatrixView<T> left{a.data<T>(), a.dim(1)};
  MatrixView<T> right{b.data<T>(), b.dim(1)};
  if (shape.transpose_a) std::swap(left.row, left.column);
  if (shape.transpose_b) std::swap(right.row, right.column);
  auto* sum = sums->mutable_data<Sum<T>>();
  accumulate_product(left, right, sum, shape.m, shape.n, shape.k);
  T* to = out->mutable_data<T>();
  const float alpha = call.attributes->get_float("alpha", 1.0f);
  const float beta = call.attributes->get_float("beta", 1.0f);
  if (c == nullptr) {
    map_elements(sum, to, out->element_count(), [&](Sum<T> s) { return scaled<T>(s, alpha); });
    return {};
  }
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make({sums, c}));
  map_broadcast(plan, sum, c->data<T>(), to, [&](Sum<T> s, T offset) {
    if constexpr (kIsHalf<T>) {
      return static_cast<T>(alpha * s + beta * widen(offset));
    } else {
      return wrapping_add(scaled<T>(s, alpha), scaled<T>(static_cast<Sum<T>>(offset), beta));
    }
  });
  return {};
}

Status gemm(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* a, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* b, call.tensor(1));
  EDGEWRIGHT_TRY(same_type(call, *a, *b));
  EDGEWRIGHT_ASSIGN(const GemmShape shape, gemm_shape(call, *a, *b));
  const Tensor* c = nullptr;
  if (call.has_input(2)) {
    EDGEWRIGHT_ASSIGN(c, call.tensor(2));
    EDGEWRIGHT_TRY(same_type(call, *a, *c));
    const Dims result = {shape.m, shape.n};
    EDGEWRIGHT_ASSIGN(const Dims dims, broadcast_dims(result, c->dims()));
    if (dims != result) {
      return bad_input("Gemm: the addend of shape {} does not broadcast to {}",
                       dims_text(c->dims()), dims_text(result));
    }
  }
  return dispatch<Types>(call, a->dtype(), [&]<class T>(std::type_identity<T>) {
    return gemm_typed<T>(call, *a, *b, c, shape);
  });
}

// The operand as int32 without its zero point. The zero point is one number, or one per row (of the
// left operand) or column (of the right one): any shape that broadcasts to the operand.
Result<const Tensor*> centred(OpCall& call, const Tensor& x, size_t zero_point, bool per_row) {
  if (x.dtype() != DType::kInt8 && x.dtype() != DType::kUint8) {
    return no_such_type(call, x.dtype());
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_scratch(DType::kInt32, x.dims()));
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> values, x.to_int64s());
  Tensor zero = Tensor::scalar<int32_t>(0);
  if (call.has_input(zero_point)) {
    EDGEWRIGHT_ASSIGN(const Tensor* given, call.tensor(zero_point));
    EDGEWRIGHT_TRY(same_type(call, x, *given));
    EDGEWRIGHT_ASSIGN(const std::vector<int64_t> points, given->to_int64s());
    std::vector<int32_t> narrow(points.begin(), points.end());
    Dims dims = given->dims();
    if (per_row && dims.size() == 1 && dims[0] > 1) dims.push_back(1);
    zero = Tensor::of<int32_t>(std::move(dims), narrow);
  }
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make({&x, &zero}));
  if (plan.dims() != x.dims() && zero.element_count() != 1) {
    return bad_input("{}: a zero point of shape {} does not fit an operand of shape {}", call.op,
                     dims_text(zero.dims()), dims_text(x.dims()));
  }
  map_broadcast(plan, values.data(), zero.data<int32_t>(), out->mutable_data<int32_t>(),
                [](int64_t value, int32_t point) { return static_cast<int32_t>(value - point); });
  return out;
}

Status matmul_integer(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* a, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* b, call.tensor(1));
  EDGEWRIGHT_ASSIGN(const MatMulShape shape, matmul_shape(call, a->dims(), b->dims()));
  EDGEWRIGHT_ASSIGN(const Tensor* left, centred(call, *a, 2, true));
  EDGEWRIGHT_ASSIGN(const Tensor* right, centred(call, *b, 3, false));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kInt32, shape.output));
  if (out->element_count() == 0) return {};
  auto* to = reinterpret_cast<uint32_t*>(out->mutable_data<int32_t>());
  std::fill_n(to, out->element_count(), 0u);
  for (int64_t i = 0; i < shape.batches(); ++i) {
    const int32_t* rows = left->data<int32_t>() + shape.a_matrix(i) * shape.m * shape.k;
    const int32_t* columns = right->data<int32_t>() + shape.b_matrix(i) * shape.k * shape.n;
    accumulate_product(MatrixView<int32_t>{rows, shape.k}, MatrixView<int32_t>{columns, shape.n},
                       to + i * shape.m * shape.n, shape.m, shape.n, shape.k);
  }
  return {};
}

// Gaussian elimination with row pivots; `matrix` is used up.
double determinant(double* matrix, int64_t n) {
  double result = 1;
  for (int64_t column = 0; column < n; ++column) {
    int64_t pivot = column;
    for (int64_t row = column + 1; row < n; ++row) {
      if (std::fabs(matrix[row * n + column]) > std::fabs(matrix[pivot * n + column])) pivot = row;
    }
    if (matrix[pivot * n + column] == 0) return 0;
    if (pivot != column) {
      std::swap_ranges(matrix + pivot * n, matrix + (pivot + 1) * n, matrix + column * n);
      result = -result;
    }
    result *= matrix[column * n + column];
    for (int64_t row = column + 1; row < n; ++row) {
      const double factor = matrix[row * n + column] / matrix[column * n + column];
      for (int64_t i = column; i < n; ++i) matrix[row * n + i] -= factor * matrix[column * n + i];
    }
  }
  return result;
}

Status det(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_TRY(expect_rank_at_least(call, *x, 2));
  const int64_t n = x->dims().back();
  if (x->dim(x->rank() - 2) != n) {
    return bad_input("Det: shape {}, expected square matrices", dims_text(x->dims()));
  }
  return dispatch<Floats>(call, x->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    Dims dims(x->dims().begin(), x->dims().end() - 2);
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), std::move(dims)));
    EDGEWRIGHT_ASSIGN(Tensor * work, call.make_scratch(DType::kFloat64, {n, n}));
    for (int64_t i = 0; i < out->element_count(); ++i) {
      double* matrix = work->mutable_data<double>();
      map_elements(x->data<T>() + i * n * n, matrix, n * n,
                   [](T value) { return static_cast<double>(widen(value)); });
      out->mutable_data<T>()[i] = static_cast<T>(static_cast<Compute<T>>(determinant(matrix, n)));
    }
    return {};
  });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "MatMul", matmul},
    {"", "Gemm", gemm},
    {"", "MatMulInteger", matmul_integer},
    {"", "Det", det},
};

}  // namespace

std::span<const ReferenceKernel> matmul_reference_kernels() { return kKernels; }

}  // namespace edgewright
