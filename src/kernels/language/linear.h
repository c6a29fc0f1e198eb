#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/thread_pool.h"
#include "kernels/language/packed_matrix.h"

namespace edgewright::language {

// What becomes of gate and up rows: activation(gate) * up.
enum class Gate : uint8_t { kNone, kSilu, kGelu, kGeluTanh };

// How input rows are rounded before quantised and 16-bit weights meet them. In both phases a row of
// the output depends on no other row: results are the same bits whatever else is in the call.
enum class Phase : uint8_t {
  // Quantised weights: inputs are rounded to int8 with a scale per 32 (largest magnitude / 127,
  // to nearest even), sums of 32 products are exact. 16-bit and fp32 weights: inputs stay fp32.
  // For few rows, and wherever exactly the results of single rows are wanted.
  kDecode,
  // Weights and inputs may be rounded to bf16 where the CPU multiplies those fastest; fp32 weights
  // are never rounded. For many rows: below about 32 kDecode is quicker.
  kPrefill,
};

// One layer's product: output = gate(input' * weights^T + bias) * scale + residual, where input' is
// the input or its RMS norm. The output may be the residual, but not overlap the input.
struct LinearCall {
  PackedMatrix weights;
  const float* bias = nullptr;  // weights.rows values; null: none; not with a gate
  Gate gate = Gate::kNone;      // with one, the weights are packed as gate and up
  size_t gated_rows = 0;        // with one, the rows of gate, which are the columns of the output
  float scale = 1.0f;

  const float* input = nullptr;  // [rows][weights.columns], `input_step` floats apart
  size_t input_step = 0;
  const float* norm_weight = nullptr;  // null: no norm; else x / sqrt(mean(x^2) + epsilon) * weight
  float norm_epsilon = 0;

  float* output = nullptr;  // [rows][weights.rows or gated_rows], `output_step` floats apart
  size_t output_step = 0;
  // Laid out as the output, which it may be without a gate; null: none.
  const float* residual = nullptr;

  size_t rows = 1;
  Phase phase = Phase::kDecode;
};

// Bytes of scratch memory that a call of so many rows and columns wants.
size_t linear_workspace_bytes(size_t rows, size_t columns, int threads);
// The workspace is aligned to 64 bytes and is written to.
void linear(const LinearCall& call, std::span<std::byte> workspace, ThreadPool& pool);

}  // namespace edgewright::language
