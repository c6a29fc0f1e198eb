#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llm/kv_cache.h"
#include "llm/packed_model.h"
#include "profile/operator_cost.h"
#include "profile/roofline.h"

namespace edgewright {

// One call of a decoder: `rows` tokens of one sequence behind `context` others; logits of the last.
struct LanguageCall {
  bool is_prefill = false;
  int rows = 1, context = 0;
};

// What one part of a call (Decoder::PartObserver's names, and "sampling") computes and moves.
struct PartWork {
  Work work;
  struct Share {
    std::string_view name;  // "qk", "softmax", "av", "norm", "residual", "ffn-activation", ...
    int64_t flops = 0;
  };
  // Where one kernel does several things: their operations. They add up to work.flops.
  std::vector<Share> fused;
};
// `layer` below 0: of no layer. `cache` gives the bytes of keys and values.
PartWork part_work(const PackedModel& model, const language::CacheShape& cache,
                   std::string_view part, int layer, const LanguageCall& call);

// Bytes through every level: weights come from the first level that holds the whole model, because
// each call reads all of them; the rest from the nearest that holds it.
std::vector<LevelTraffic> part_traffic(const Roofs& roofs, const Work& work, int64_t model_bytes);

}  // namespace edgewright
