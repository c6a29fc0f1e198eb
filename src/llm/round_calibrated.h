#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "llm/packed_model.h"

namespace edgewright {

inline constexpr int kCalibrationTokens = 16384;

// A model of "int4" or "int4-g128" whose matrices are rounded by the inputs that they meet on the
// tokens, which are run in windows of the context. Matrices are taken in the order in which a token
// meets them; each is first moved to where it makes up for what the rounding of the earlier ones
// did to its inputs and to what its product is added to. Memory beside the packed models: the
// states of all tokens twice, and four matrices of columns x columns.
Result<PackedModel> pack_calibrated(const ModelConfig& config, const NamedWeights& weights,
                                    const Precision& precision, std::span<const int> tokens,
                                    ThreadPool& pool, const Progress& progress);

}  // namespace edgewright
