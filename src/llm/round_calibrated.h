#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "llm/packed_model.h"

namespace edgewright {

inline constexpr int kCalibrationTokens = 16384;

// Rows of 4-bit integers, -8 to 7, and a scale for every group of them.
struct RoundedRows {
  size_t rows = 0, columns = 0;
  std::vector<int8_t> values;
  std::vector<float> scales;
};

// Rounds rows of weights to groups of 4-bit values one column after the other; what a column's
// rounding does to the product with inputs is made up for in the columns after it (GPTQ, Frantar et
// al. 2022). `second_moments`: sum of x x^T over inputs, columns x columns; it is overwritten.
// columns % group == 0. Scales are chosen for the least squared error weighted by the inputs.
RoundedRows round_rows(std::span<const float> weights, size_t rows,
                       std::span<double> second_moments, size_t columns, size_t group,
                       ThreadPool& pool);

// A model of "int4" or "int4-g128" whose matrices are rounded by the inputs that they meet on the
// tokens, which are run in windows of the context. Matrices are taken in groups that fit the memory
// budget; later groups see the inputs that the earlier, rounded ones give.
Result<PackedModel> pack_calibrated(const ModelConfig& config, const NamedWeights& weights,
                                    const Precision& precision, std::span<const int> tokens,
                                    ThreadPool& pool, const Progress& progress);

}  // namespace edgewright
