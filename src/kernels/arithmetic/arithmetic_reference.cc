// Element-wise arithmetic with NumPy broadcasting, every numeric type.
#include "kernels/families.h"

namespace edgewright {
namespace {

Result<Dims> broadcast_dims(const Tensor& a, const Tensor& b) {
  const size_t rank = std::max(a.rank(), b.rank());
  Dims dims(rank);
  for (size_t i = 0; i < rank; ++i) {
    const size_t from_end = rank - i;
    const int64_t x = from_end <= a.rank() ? a.dim(a.rank() - from_end) : 1;
    const int64_t y = from_end <= b.rank() ? b.dim(b.rank() - from_end) : 1;
    if (x != y && x != 1 && y != 1) {
      return bad_input("shapes {} and {} do not broadcast", dims_text(a.dims()),
                       dims_text(b.dims()));
    }
    dims[i] = x == 1 ? y : x;
  }
  return dims;
}

Status add(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* a, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* b, call.tensor(1));
  if (a->dtype() != DType::kFloat32 || b->dtype() != DType::kFloat32 || a->dims() != b->dims()) {
    EDGEWRIGHT_TRY(broadcast_dims(*a, *b).ok() ? Status() : broadcast_dims(*a, *b).error());
    return unsupported("Add of {} and {}", dtype_name(a->dtype()), dtype_name(b->dtype()));
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, a->dtype(), a->dims()));
  for (int64_t i = 0; i < a->element_count(); ++i) {
    out->mutable_data<float>()[i] = a->data<float>()[i] + b->data<float>()[i];
  }
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Add", add},
};

}  // namespace

std::span<const ReferenceKernel> arithmetic_reference_kernels() { return kKernels; }

}  // namespace edgewright
