#include "kernels/reference/matmul.h"

namespace edgewright::reference {

int64_t MatMulShape::matrix(int64_t i, const Dims& from) const {
  int64_t index = 0;
  int64_t step = 1;
  for (size_t axis = batch.size(); axis-- > 0;) {
    if (from[axis] != 1) index += i % batch[axis] * step;
    i /= batch[axis];
    step *= from[axis];
  }
  return index;
}

Result<MatMulShape> matmul_shape(const OpCall& call, const Dims& a, const Dims& b) {
  const auto mismatch = [&] {
    return bad_input("{} of {} and {}: shapes do not fit", call.op, dims_text(a), dims_text(b));
  };
  if (a.empty() || b.empty()) return mismatch();
  Dims left = a;
  Dims right = b;
  if (left.size() == 1) left.insert(left.begin(), 1);
  if (right.size() == 1) right.push_back(1);
  MatMulShape shape;
  shape.m = left[left.size() - 2];
  shape.k = left.back();
  shape.n = right.back();
  if (right[right.size() - 2] != shape.k) return mismatch();
  const size_t rank = std::max(left.size(), right.size());
  left.insert(left.begin(), rank - left.size(), 1);
  right.insert(right.begin(), rank - right.size(), 1);
  for (size_t axis = 0; axis + 2 < rank; ++axis) {
    if (left[axis] != right[axis] && left[axis] != 1 && right[axis] != 1) return mismatch();
    shape.batch.push_back(left[axis] == 1 ? right[axis] : left[axis]);
    shape.a_batch.push_back(left[axis]);
    shape.b_batch.push_back(right[axis]);
  }
  shape.output = shape.batch;
  if (a.size() > 1) shape.output.push_back(shape.m);
  if (b.size() > 1) shape.output.push_back(shape.n);
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(shape.output));
  static_cast<void>(count);
  return shape;
}

}  // namespace edgewright::reference
