#include "kernels/quantization/quantized.h"

namespace edgewright::reference {

IntegerRange integer_range(DType dtype) {
  const int bits = dtype_bits(dtype);
  if (!is_signed(dtype)) return {0, std::ldexp(1.0, bits) - 1};
  return {-std::ldexp(1.0, bits - 1), std::ldexp(1.0, bits - 1) - 1};
}

Result<const int64_t*> centred(OpCall& call, const Operand<int64_t>& x,
                               const Operand<int64_t>& zero_point, size_t axis) {
  if (!zero_point) return x.data;
  const bool per_axis = zero_point.count() != 1;
  if (per_axis && (axis >= x.rank() || zero_point.count() != x.dim(axis))) {
    return bad_input("a zero point of {} has shape {} for a tensor of shape {}", call.op,
                     dims_text(zero_point.dims()), dims_text(x.dims()));
  }
  EDGEWRIGHT_ASSIGN(int64_t* made, scratch_array<int64_t>(call, x.count()));
  const int64_t inner = per_axis ? span_count(x.dims(), axis + 1) : 1;
  for (int64_t i = 0; i < x.count(); ++i) {
    made[i] = x[i] - zero_point[per_axis ? i / inner % x.dim(axis) : 0];
  }
  return static_cast<const int64_t*>(made);
}

}  // namespace edgewright::reference
