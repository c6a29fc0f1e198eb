#pragma once

#include <cstdint>

#include "llm/packed_model.h"

namespace edgewright {

// A configuration of the "llama" architecture with what depends on other sizes filled in.
ModelConfig small_config(int hidden, int layers, int heads, int kv_heads, int ffn, int vocabulary);

// A model of that shape with seeded random weights, for tests and for measuring speed: matrices are
// uniform with variance 1 / columns, norms are one.
Result<PackedModel> random_model(const ModelConfig& config, std::string_view precision,
                                 uint64_t seed, ThreadPool& pool);

}  // namespace edgewright
