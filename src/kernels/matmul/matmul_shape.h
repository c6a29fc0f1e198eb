#pragma once

#include "kernels/epilogue.h"
#include "kernels/implementation.h"

namespace edgewright {

// Y = epilogue(alpha_scale * A * B + bias [+ residual]) over a batch of matrices, as
// edgewright::MatMul states it (ai.onnx MatMul and Gemm are the same with fewer parts):
// A [.., m, k] (transpose_a: [.., k, m]), B [.., k, n] (transpose_b: [.., n, k]), bias [n],
// residual [.., m, n].
struct MatMulShape {
  int64_t batch = 1;  // matrices of A and Y
  int64_t m = 0, k = 0, n = 0;
  bool transpose_a = false, transpose_b = false;
  bool has_bias = false, has_residual = false;
  bool b_is_shared = true;  // one B for the whole batch
  float scale = 1.0f;
  Epilogue epilogue;
  // Where matrix i of a broadcast operand begins, in matrices.
  std::vector<int64_t> a_index, b_index;

  int64_t panels() const { return (n + 15) / 16; }
};

Result<MatMulShape> parse_matmul(const KernelRequest& request);

// B as panels of 16 columns, [panel][k][16], zeros beyond n.
void pack_panels(const float* b, int64_t k, int64_t n, bool transposed, float* out);

}  // namespace edgewright
