#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "kernels/epilogue.h"
#include "kernels/integer/gate.h"
#include "kernels/kernel.h"

namespace edgewright {

// What edgewright::QuantizedConv2d and QuantizedMatMul do with their int32 sums, as their
// attributes say (the list is in passes/lowering.h):
//   v = sum * M[column] + B[column]
//   v = (saturate(round(v / product_scale) + product_zero) - product_zero) * product_scale
//   v = activation(v + (R - residual_zero) * residual_scale)
//   Y = v, or saturate(round(v / y_scale) + y_zero); output 1, where wanted, is v itself.
struct Requantisation {
  int32_t x_zero = 0;
  DType out = DType::kFloat32;  // uint8, int8 or float32
  float y_scale = 1;
  int32_t y_zero = 0;
  DType residual = DType::kUndefined;  // uint8, int8, float32 or none
  float residual_scale = 1;
  int32_t residual_zero = 0;
  DType product = DType::kUndefined;  // the type that the product is rounded to before the sum
  float product_scale = 1;
  int32_t product_zero = 0;
  bool also_float = false;
  Epilogue epilogue;
};
// kUnsupported where a type or an activation is not one of the kernels'.
Result<Requantisation> parse_requantisation(const KernelRequest& request);

// The factors of a Requantisation in the units that the kernel computes in, so that most outputs
// take one multiplication: the integer's own where nothing needs the real value.
struct Finish {
  // Per column, padded to whole panels: v = sum * scale + bias.
  const float* scale = nullptr;
  const float* bias = nullptr;
  bool round_product = false;
  float product_low = 0, product_high = 0, product_scale = 1, product_offset = 0;
  DType residual_type = DType::kUndefined;
  float residual_scale = 0;
  float low = 0, high = 0;  // the clamp of the activation, in the units of v
  bool rescale = false;     // v is real and the output is not
  float out_scale = 1, out_offset = 0;
  DType out_type = DType::kFloat32;
  Epilogue epilogue;           // applied apart where it is no clamp
  const Gate* gate = nullptr;  // of an output of bytes, where instructions for it are there

  const void* residual = nullptr;
  void* out = nullptr;
  float* out_float = nullptr;
};
// Everything but pointers.
Finish make_finish(const Requantisation& r);
// scale and bias of a column from M, B and the sum of its weights: 2 arrays of `padded` floats.
void fold_columns(const Requantisation& r, const float* m, bool one_m, const float* b,
                  const int32_t* column_sums, size_t columns, size_t padded, float* scale,
                  float* bias);

// Finishes sums[row * step + c]: row `i` goes to element rows[i] + c of the output (and is read
// there from the residual); rows with a negative place are left out.
void finish_sums(const Finish& finish, const int32_t* sums, ptrdiff_t step, const int32_t* rows,
                 size_t row_count, size_t first_column, size_t columns);

}  // namespace edgewright
