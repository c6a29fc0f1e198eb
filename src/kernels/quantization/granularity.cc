#include "kernels/quantization/granularity.h"

namespace edgewright::reference {

Result<Granularity> granularity(const OpCall& call, const Tensor& x, const Tensor& scale) {
  Granularity g;
  if (scale.element_count() == 1 && scale.rank() <= 1) return g;
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    axis_of(call, call.attributes->get_int("axis", 1), x.rank()));
  const int64_t block = call.attributes->get_int("block_size", 0);
  g.inner = span_count(x.dims(), axis + 1);
  g.size = x.dim(axis);
  if (scale.rank() == 1 && block == 0) {
    EDGEWRIGHT_TRY(expect_dims(call, "the scale", scale, {g.size}));
    g.per_axis = true;
    return g;
  }
  if (block < 1) {
    return bad_input("{} has block_size {} for a scale of shape {}, expected 1 or more", call.op,
                     block, dims_text(scale.dims()));
  }
  Dims dims = x.dims();
  dims[axis] = g.size / block + (g.size % block == 0 ? 0 : 1);
  EDGEWRIGHT_TRY(expect_dims(call, "the scale", scale, dims));
  g.blocked = true;
  g.block = block;
  g.blocks = dims[axis];
  return g;
}

}  // namespace edgewright::reference
